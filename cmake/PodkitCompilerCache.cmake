# Uses ccache where it is installed, unless the caller chose a launcher or embeds us.
if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(PODKIT_CCACHE ccache)
  mark_as_advanced(PODKIT_CCACHE)
  if(PODKIT_CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER "${PODKIT_CCACHE}")
    set(CMAKE_CXX_COMPILER_LAUNCHER "${PODKIT_CCACHE}")
  endif()
endif()
