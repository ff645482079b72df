# podkit_compile_alone(<file>...)
#
# Most presets compile ten files of a target as one (CMAKE_UNITY_BUILD), so that headers are read less often. These
# files are compiled alone in any case: they have names in an unnamed namespace that other files of their target use too.
function(podkit_compile_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
