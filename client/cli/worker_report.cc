#include "client/cli/worker_report.h"

#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/documents.h"
#include "client/cli/progress.h"
#include "client/cli/text_table.h"

namespace tilewright {
namespace {

constexpr size_t kDigestShown = 12;

// "cuda 8.6, NVIDIA …".
std::string DeviceText(const Worker& worker) {
  const std::string& capability = worker.compute_capability;
  return absl::StrCat(worker.device_kind, capability.empty() ? "" : " ", capability, ", ",
                      worker.device_name);
}

// "builtin, torch 1.94 s/Mpx": by the reference network, where an engine was measured.
std::string EnginesText(const Worker& worker) {
  if (worker.engine_offers.empty()) return absl::StrJoin(worker.engines, ", ");
  return absl::StrJoin(worker.engine_offers, ", ", [](std::string* out, const EngineOffer& offer) {
    absl::StrAppend(out, offer.name);
    if (offer.reference_seconds_per_mpx > 0) {
      absl::StrAppendFormat(out, " %.3g s/Mpx", offer.reference_seconds_per_mpx);
    }
  });
}

// "12.0 MB + 1.5 KB a pixel".
std::string MemoryText(const ModelMemory& memory) {
  const auto bytes = [](double value) {
    return BytesText(static_cast<uint64_t>(std::ceil(std::fmin(std::fmax(value, 0), 0x1p63))));
  };
  return absl::StrCat(bytes(memory.base_bytes), " + ", bytes(memory.bytes_per_pixel), " a pixel");
}

}  // namespace

std::string StandingText(const Worker& worker) {
  std::vector<std::string> parts;
  if (worker.away) parts.push_back("away");
  if (worker.draining) parts.push_back(worker.leased_tiles > 0 ? "draining" : "drained");
  if (worker.quarantine.has_value()) {
    parts.push_back(*worker.quarantine > absl::ZeroDuration()
                        ? absl::StrCat("quarantine ", ClockText(*worker.quarantine))
                        : "quarantine, probe due");
  }
  if (worker.blocklisted_count > 0) {
    parts.push_back(absl::StrCat("kept from ", worker.blocklisted_count,
                                 worker.blocklisted_count == 1 ? " job" : " jobs"));
  }
  return parts.empty() ? "ready" : absl::StrJoin(parts, ", ");
}

std::string WorkersReport(const std::vector<Worker>& workers) {
  if (workers.empty()) return "no worker is connected\n";
  std::vector<std::vector<std::string>> rows = {{"WORKER", "STANDING", "DEVICE", "ENGINES",
                                                 "DTYPES", "THREADS", "MEMORY FREE", "OF",
                                                 "GFLOP/S", "TRANSPORT", "LEASED", "DONE", "SEEN"}};
  std::vector<std::vector<std::string>> models = {{"WORKER", "MODEL", "DTYPE", "A RUN NEEDS"}};
  for (const Worker& worker : workers) {
    rows.push_back({worker.name, StandingText(worker), DeviceText(worker), EnginesText(worker),
                    absl::StrJoin(worker.dtypes, ","), absl::StrCat(worker.threads),
                    BytesText(worker.memory_free_bytes), BytesText(worker.memory_total_bytes),
                    absl::StrFormat("%.1f", worker.probe_flops / 1e9), TransportText(worker),
                    absl::StrCat(worker.leased_tiles), absl::StrCat(worker.accepted_tiles),
                    absl::StrFormat("%.1f s ago", absl::ToDoubleSeconds(worker.silent))});
    for (const ModelMemory& memory : worker.memory_models) {
      models.push_back({worker.name, memory.model_digest.substr(0, kDigestShown), memory.dtype,
                        MemoryText(memory)});
    }
  }
  std::string text = TextTable(rows);
  if (models.size() > 1) absl::StrAppend(&text, "\n", TextTable(models));
  return text;
}

}  // namespace tilewright
