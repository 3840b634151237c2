# Debian's packages, and LibTorch and OpenVINO from their PyPI wheels as imported targets.

find_package(Threads REQUIRED)
find_package(absl REQUIRED CONFIG)
find_package(GTest REQUIRED CONFIG)
find_package(PkgConfig REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

if(NOT TILEWRIGHT_PURE_ONLY)
  find_package(Protobuf REQUIRED)  # the module; it must come before gRPC's config package
  find_package(gRPC REQUIRED CONFIG)
  find_package(OpenSSL REQUIRED COMPONENTS Crypto)
  find_package(spdlog REQUIRED CONFIG)
  find_package(CLI11 REQUIRED CONFIG)
  find_package(benchmark REQUIRED CONFIG)
  pkg_check_modules(VIPS REQUIRED IMPORTED_TARGET vips)
  pkg_check_modules(TIFF REQUIRED IMPORTED_TARGET libtiff-4)
  pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
  pkg_check_modules(DEFLATE REQUIRED IMPORTED_TARGET libdeflate)

  # Debian's small OpenCV packages carry no CMake config; its headers warn in C++20, hence SYSTEM.
  find_path(OPENCV_INCLUDE opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
  foreach(part core imgproc imgcodecs)
    find_library(OPENCV_${part} opencv_${part} REQUIRED)
    add_library(opencv_${part} INTERFACE IMPORTED)
    target_include_directories(opencv_${part} SYSTEM INTERFACE ${OPENCV_INCLUDE})
    target_link_libraries(opencv_${part} INTERFACE ${OPENCV_${part}})
  endforeach()

  # Where deploy/setup.sh puts wheels.
  if(DEFINED ENV{TILEWRIGHT_CACHE})
    set(TILEWRIGHT_CACHE_FOLDER $ENV{TILEWRIGHT_CACHE})
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(TILEWRIGHT_CACHE_FOLDER $ENV{XDG_CACHE_HOME}/tilewright)
  else()
    set(TILEWRIGHT_CACHE_FOLDER $ENV{HOME}/.cache/tilewright)
  endif()
  if(TILEWRIGHT_TORCH)
    include(TilewrightTorch)
  endif()
  include(TilewrightOpenVino)
endif()
