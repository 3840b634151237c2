# OpenVINO from the pinned PyPI wheel. Found, it is built as a module that the worker opens at run time; without it a
# worker says that it has no such engine.

set(TILEWRIGHT_OPENVINO_VERSION 2026.4.1)
if(NOT TILEWRIGHT_OPENVINO_ROOT)
  file(GLOB roots
       ${TILEWRIGHT_CACHE_FOLDER}/openvino-${TILEWRIGHT_OPENVINO_VERSION}/lib/python3*/site-packages)
  if(roots)
    list(GET roots 0 TILEWRIGHT_OPENVINO_ROOT)
  endif()
endif()
file(GLOB openvino_library ${TILEWRIGHT_OPENVINO_ROOT}/openvino/libs/libopenvino.so.*)
# Not an option(): what is not said is looked for at every configuration, and a wheel that was installed since is used.
if(NOT DEFINED TILEWRIGHT_OPENVINO)
  set(TILEWRIGHT_OPENVINO OFF)
  if(openvino_library)
    set(TILEWRIGHT_OPENVINO ON)
  endif()
endif()
if(TILEWRIGHT_OPENVINO AND NOT openvino_library)
  message(FATAL_ERROR "OpenVINO ${TILEWRIGHT_OPENVINO_VERSION} is not in '${TILEWRIGHT_OPENVINO_ROOT}'. Run "
                      "deploy/setup.sh, or set TILEWRIGHT_OPENVINO_ROOT, or build without it: -DTILEWRIGHT_OPENVINO=OFF")
endif()

if(TILEWRIGHT_OPENVINO)
  add_library(openvino_wheel INTERFACE IMPORTED)
  target_include_directories(openvino_wheel SYSTEM INTERFACE ${TILEWRIGHT_OPENVINO_ROOT}/openvino/include)
  target_link_libraries(openvino_wheel INTERFACE ${openvino_library})
  target_link_options(openvino_wheel INTERFACE -Wl,-rpath,${TILEWRIGHT_OPENVINO_ROOT}/openvino/libs)
endif()
