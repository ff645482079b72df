# podkit_test(<name> SOURCES ... [DEPS ...] [LABEL unit] [TIMEOUT 60])
#
# One Catch2 binary, <name>_test. ctest lists each of its cases as "<name>.<sentence>" under the label.
# It links the shared main, tests/support (TempDir, FreePort, FakeClock) and common/.
function(podkit_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "SOURCES;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "podkit_test(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  set(properties LABELS ${arg_LABEL})
  if(arg_TIMEOUT)
    list(APPEND properties TIMEOUT ${arg_TIMEOUT})
  endif()
  add_executable(${name}_test ${arg_SOURCES})
  target_link_libraries(${name}_test PRIVATE podkit_test_main podkit_test_support podkit_common ${arg_DEPS})
  # NoTests: a name that Catch2 cannot match would otherwise pass without running anything.
  catch_discover_tests(${name}_test
    TEST_PREFIX "${name}."
    EXTRA_ARGS --warn NoTests
    PROPERTIES ${properties})
endfunction()

# podkit_bench(<group> SOURCES ... [DEPS ...])
#
# The benchmark binary bench_<group>, which script/bench runs. It prints one line per result,
#   ratio <group>/<name> <value> goal <goal>     larger is better
#   figure <group>/<name> <value> <unit>
# ctest runs it with --quick, one short round of each, so that it always builds and works.
function(podkit_bench group)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "podkit_bench(${group}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_executable(bench_${group} ${arg_SOURCES})
  set_target_properties(bench_${group} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bench")
  target_link_libraries(bench_${group} PRIVATE podkit_test_support podkit_common ${arg_DEPS})
  add_test(NAME bench.${group} COMMAND bench_${group} --quick)
  set_tests_properties(bench.${group} PROPERTIES LABELS bench RUN_SERIAL ON)
endfunction()
