# podkit_library(<name> SOURCES ... HEADERS ... [PUBLIC_DEPS ...] [PRIVATE_DEPS ...])
#
# Declares the static library podkit::<name>: public headers under include/, everything else under src/.
function(podkit_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;PUBLIC_DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(podkit_${name} STATIC ${arg_SOURCES})
  add_library(podkit::${name} ALIAS podkit_${name})
  set_target_properties(podkit_${name} PROPERTIES
    EXPORT_NAME ${name}
    VERIFY_INTERFACE_HEADER_SETS ON
    POSITION_INDEPENDENT_CODE ON)
  target_compile_features(podkit_${name} PUBLIC cxx_std_20)
  target_sources(podkit_${name} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${arg_HEADERS})
  target_include_directories(podkit_${name} PRIVATE src)
  target_link_libraries(podkit_${name}
    PUBLIC ${arg_PUBLIC_DEPS}
    PRIVATE ${arg_PRIVATE_DEPS} $<BUILD_INTERFACE:podkit_common>)
endfunction()
