#include "proto/wire/host_id.h"

#include <unistd.h>

#include <array>
#include <fstream>

namespace tilewright {

std::string HostId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  if (std::string id; file >> id && !id.empty()) return id;
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace tilewright
