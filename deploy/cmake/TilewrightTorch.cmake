# LibTorch from the pinned PyPI wheel. find_package(Torch) would demand a CUDA toolkit, so the two libraries that a
# worker links are imported by hand; CUDA is loaded at run time where the full wheel set is installed.

set(TILEWRIGHT_TORCH_VERSION 2.11.0)
if(NOT TILEWRIGHT_TORCH_ROOT)
  file(GLOB roots ${TILEWRIGHT_CACHE_FOLDER}/torch-${TILEWRIGHT_TORCH_VERSION}/lib/python3*/site-packages)
  list(GET roots 0 TILEWRIGHT_TORCH_ROOT)
endif()
if(NOT EXISTS ${TILEWRIGHT_TORCH_ROOT}/torch/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch ${TILEWRIGHT_TORCH_VERSION} is not in '${TILEWRIGHT_TORCH_ROOT}'. Run deploy/setup.sh, "
                      "or set TILEWRIGHT_TORCH_ROOT, or build without it: -DTILEWRIGHT_TORCH=OFF")
endif()

set(torch ${TILEWRIGHT_TORCH_ROOT}/torch)
add_library(torch_cpu_wheel INTERFACE IMPORTED)
# After the system's folders: the wheel carries headers of an older Protobuf, which must not meet ours.
target_compile_options(torch_cpu_wheel INTERFACE
  "SHELL:-idirafter ${torch}/include" "SHELL:-idirafter ${torch}/include/torch/csrc/api/include")
target_link_libraries(torch_cpu_wheel INTERFACE ${torch}/lib/libtorch_cpu.so ${torch}/lib/libc10.so)
target_link_options(torch_cpu_wheel INTERFACE -Wl,-rpath-link,${TILEWRIGHT_TORCH_ROOT}/nvidia/cu13/lib)

# For a module that is opened once CUDA's half is loaded; the libraries that this half needs may be missing until then.
add_library(torch_cuda_wheel INTERFACE IMPORTED)
target_link_libraries(torch_cuda_wheel INTERFACE torch_cpu_wheel
  ${torch}/lib/libtorch_cuda.so ${torch}/lib/libc10_cuda.so ${TILEWRIGHT_TORCH_ROOT}/nvidia/cu13/lib/libcudart.so.13)
target_compile_options(torch_cuda_wheel INTERFACE "SHELL:-idirafter ${TILEWRIGHT_TORCH_ROOT}/nvidia/cu13/include")
target_link_options(torch_cuda_wheel INTERFACE -Wl,--allow-shlib-undefined)
