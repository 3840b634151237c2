#include "worker/device/cpu.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace tilewright {
namespace {

// What follows the colon of the first line that begins with `field`; empty without one.
std::string FieldOf(const std::string& cpuinfo, absl::string_view field) {
  for (absl::string_view line : absl::StrSplit(cpuinfo, '\n')) {
    if (!absl::StartsWith(line, field)) continue;
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return "";
}

constexpr int kLanes = 16;
constexpr int kChains = 12;  // enough to cover the latency of an addition after a multiplication
constexpr int kSteps = 4096;
constexpr double kFlopsPerCall = 2.0 * kLanes * kChains * kSteps;

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));

inline __attribute__((always_inline)) float Burn(float seed) {
  std::array<Vector, kChains> sums;
  for (int i = 0; i < kChains; ++i) sums[static_cast<size_t>(i)] = Vector{} + seed + float(i);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (Vector& sum : sums) sum = sum * 0.999f + 0.001f;
  }
  float total = 0;
  for (const Vector& sum : sums) total += sum[0];
  return total;
}

using BurnFunction = float (*)(float);
float BurnBaseline(float seed) { return Burn(seed); }
#if defined(__x86_64__)
__attribute__((target("avx2"))) float BurnAvx2(float seed) { return Burn(seed); }
__attribute__((target("avx512f"))) float BurnAvx512(float seed) { return Burn(seed); }
#endif

BurnFunction BestBurn() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return BurnAvx512;
  if (__builtin_cpu_supports("avx2")) return BurnAvx2;
#endif
  return BurnBaseline;
}

double MeasureOneThread(absl::Duration duration) {
  using Clock = std::chrono::steady_clock;
  const BurnFunction burn = BestBurn();
  volatile float kept = burn(1.0f);  // the first call warms up
  const auto start = Clock::now();
  const auto wanted = absl::ToChronoNanoseconds(duration);
  double flops = 0;
  Clock::duration elapsed{};
  do {
    kept = burn(kept);
    flops += kFlopsPerCall;
    elapsed = Clock::now() - start;
  } while (elapsed < wanted);
  return flops / std::chrono::duration<double>(elapsed).count();
}

}  // namespace

std::string CpuName(const FileReader& read) {
  const auto cpuinfo = read("/proc/cpuinfo");
  std::string name = cpuinfo.ok() ? FieldOf(*cpuinfo, "model name") : "";
  return name.empty() ? "unknown processor" : name;
}

std::string CpuInstructionSets(const FileReader& read) {
  const auto cpuinfo = read("/proc/cpuinfo");
  if (!cpuinfo.ok()) return "";
  const std::string flags = FieldOf(*cpuinfo, "flags");
  const std::vector<absl::string_view> have = absl::StrSplit(flags, ' ');
  std::vector<absl::string_view> wide;
  for (const char* name : {"avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512vl",
                           "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16"}) {
    if (std::find(have.begin(), have.end(), name) != have.end()) wide.push_back(name);
  }
  return absl::StrJoin(wide, " ");
}

double MeasureCpuFlops(int threads, absl::Duration duration) {
  std::vector<double> flops(static_cast<size_t>(std::max(threads, 1)));
  std::vector<std::thread> running;
  for (size_t i = 1; i < flops.size(); ++i) {
    running.emplace_back([&flops, i, duration] { flops[i] = MeasureOneThread(duration); });
  }
  flops[0] = MeasureOneThread(duration);
  for (std::thread& thread : running) thread.join();
  double sum = 0;
  for (double one : flops) sum += one;
  return sum;
}

}  // namespace tilewright
