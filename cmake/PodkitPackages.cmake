# The packages that each part needs. The libraries' lists are also written into podkitConfig.cmake: a static library
# hands its private dependencies on to whoever links it.
set(podkit_packages_conduit Threads absl fmt CURL OpenSSL)
set(podkit_packages_store Threads absl fmt OpenSSL SQLite3 SQLiteCpp LibIcal)
set(podkit_packages_replica Threads absl fmt CURL OpenSSL Seccomp Sodium SQLite3 SQLiteCpp)
set(podkit_packages_lock Threads absl fmt SQLite3 SQLiteCpp)
set(podkit_packages_lock_remote Threads absl fmt)
set(podkit_components_lock_remote conduit lock)
set(podkit_components_store conduit)  # Components that a component needs.

set(podkit_packages
  ${podkit_packages_conduit} ${podkit_packages_store} ${podkit_packages_replica} ${podkit_packages_lock})
if(PODKIT_BUILD_SERVERS)
  list(APPEND podkit_packages spdlog CLI11 prometheus-cpp)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(Zstd REQUIRED IMPORTED_TARGET libzstd)  # For drivers.
  find_package(Boost 1.81 REQUIRED CONFIG)  # Boost::headers: Asio and Beast.
endif()
list(REMOVE_DUPLICATES podkit_packages)
foreach(package IN LISTS podkit_packages)
  find_package(${package} REQUIRED)
endforeach()

# RapidJSON brings no target of its own. Headers only, so it is never part of the export.
find_package(RapidJSON REQUIRED CONFIG)
add_library(podkit_rapidjson INTERFACE)
target_include_directories(podkit_rapidjson SYSTEM INTERFACE "${RAPIDJSON_INCLUDE_DIRS}")
# Texts are scanned 16 bytes at a time where every processor can: it reads up to 15 bytes beyond the end of what is
# parsed in place. For all that link it alike, or they would not be the same templates.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_definitions(podkit_rapidjson INTERFACE RAPIDJSON_SSE2)
endif()
