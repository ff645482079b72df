# podkit_library(<name> SOURCES ... HEADERS ... [PUBLIC_DEPS ...] [PRIVATE_DEPS ...])
#
# Declares the static library podkit::<name>: public headers under include/, everything else under src/. Each library
# is installed and exported by itself; its packages stand in PodkitPackages.cmake. Test builds also check that the whole
# library links with nothing but its declared dependencies (test <name>.link), the presets release and clang that every
# public header compiles alone (target all_verify_interface_header_sets).
#
# A dependency called podkit_* is a header-only target of this tree, used to build the library and never installed.
function(podkit_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;PUBLIC_DEPS;PRIVATE_DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "podkit_library(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  list(TRANSFORM arg_PRIVATE_DEPS REPLACE "^podkit_.*$" "$<BUILD_INTERFACE:\\0>")

  add_library(podkit_${name} STATIC ${arg_SOURCES})
  add_library(podkit::${name} ALIAS podkit_${name})
  set_target_properties(podkit_${name} PROPERTIES
    EXPORT_NAME ${name}
    POSITION_INDEPENDENT_CODE ON
    VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(podkit_${name} PUBLIC cxx_std_20)
  target_sources(podkit_${name} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${arg_HEADERS})
  target_include_directories(podkit_${name} PRIVATE src)
  target_link_libraries(podkit_${name}
    PUBLIC ${arg_PUBLIC_DEPS}
    PRIVATE ${arg_PRIVATE_DEPS} $<BUILD_INTERFACE:podkit_common>)

  set_property(GLOBAL APPEND PROPERTY PODKIT_LIBRARIES ${name})
  if(PODKIT_INSTALL)
    install(TARGETS podkit_${name} EXPORT podkit-${name} FILE_SET HEADERS)
    install(EXPORT podkit-${name}
      NAMESPACE podkit::
      FILE podkit-${name}-targets.cmake
      DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/podkit")
  endif()
  if(PODKIT_BUILD_TESTS)
    podkit_link_test(${name})
  endif()
endfunction()

# A static library hides undefined symbols until somebody uses the object that needs them: take every object.
function(podkit_link_test name)
  add_executable(${name}_link_test "${PROJECT_SOURCE_DIR}/tests/support/empty_main.cc")
  target_link_libraries(${name}_link_test PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,podkit::${name}>)
  add_test(NAME ${name}.link COMMAND ${name}_link_test)
  set_tests_properties(${name}.link PROPERTIES LABELS link)
endfunction()
