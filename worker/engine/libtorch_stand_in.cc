// An empty library with the soname libtorch.so; torch_package.cc says what for.
