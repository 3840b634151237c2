#include "worker/device/file_reader.h"

#include <array>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"

namespace tilewright {

FileReader RealFiles() {
  return [](const std::string& path) -> absl::StatusOr<std::string> {
    constexpr size_t kBytesMax = 16 << 20;
    struct Close {
      void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "re"));
    if (file == nullptr) return absl::NotFoundError(absl::StrCat("cannot open ", path));
    std::string contents;
    std::array<char, 4096> buffer;
    while (contents.size() < kBytesMax) {
      const size_t read = std::fread(buffer.data(), 1, buffer.size(), file.get());
      if (read == 0) break;
      contents.append(buffer.data(), read);
    }
    return contents;
  };
}

}  // namespace tilewright
