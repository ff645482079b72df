# Writes and installs podkitConfig.cmake for the libraries that exist.
include(CMakePackageConfigHelpers)

get_property(podkit_libraries GLOBAL PROPERTY PODKIT_LIBRARIES)
set(podkit_component_lists "set(_podkit_known ${podkit_libraries})\n")
foreach(name IN LISTS podkit_libraries)
  string(APPEND podkit_component_lists
    "set(_podkit_packages_${name} ${podkit_packages_${name}})\n"
    "set(_podkit_components_${name} ${podkit_components_${name}})\n")
endforeach()
string(REPLACE ";" " " podkit_component_lists "${podkit_component_lists}")

set(podkit_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/podkit")
configure_package_config_file(cmake/podkitConfig.cmake.in podkitConfig.cmake
  INSTALL_DESTINATION "${podkit_package_dir}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(podkitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/podkitConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/podkitConfigVersion.cmake"
  DESTINATION "${podkit_package_dir}")
# How to find what Debian packages without a CMake package of its own.
install(FILES cmake/FindSeccomp.cmake cmake/FindSodium.cmake DESTINATION "${podkit_package_dir}/find")
