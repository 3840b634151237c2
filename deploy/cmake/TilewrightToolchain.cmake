# Compiler flags that every target of this project shares.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# No fused multiply-add: the same float expression must give the same bytes for every instruction set.
add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                    -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety)
endif()
if(CMAKE_UNITY_BUILD)
  # Classes in a .cc file may have members from its unnamed namespace; inside a unity source GCC takes it for a header.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")  # assertions stay on: they guard pixels

if(TILEWRIGHT_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")  # compiles in half the time of -O2
  add_compile_options(-fsanitize=${TILEWRIGHT_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TILEWRIGHT_SANITIZE})
endif()
