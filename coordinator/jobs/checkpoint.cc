#include "coordinator/jobs/checkpoint.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/partial_claim.h"
#include "coordinator/jobs/checkpoint.pb.h"
#include "coordinator/jobs/state_folder.h"
#include "proto/wire/checksum.h"

namespace tilewright {
namespace {

constexpr absl::string_view kMagic = "TWCHECK1";
constexpr absl::string_view kMagicOfAnyVersion = "TWCHECK";
constexpr size_t kHeaderBytes = 16;
constexpr int64_t kRecordBytesMax = int64_t{1} << 30;  // protobuf reads no more than twice as much

std::string ChecksumBytes(absl::string_view body) {
  const uint64_t checksum =
      Checksum(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(body.data()), body.size()));
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(checksum >> shift));
  return bytes;
}

void ToRecord(const StagePromise& promise, checkpoint::Standing* record) {
  record->set_strict(promise.promise == Promise::kStrict);
  record->set_numeric_class(promise.numeric_class);
  for (const std::string& one : promise.classes) record->add_classes(one);
}

StagePromise FromRecord(const checkpoint::Standing& record) {
  return {record.strict() ? Promise::kStrict : Promise::kTolerant,
          record.numeric_class(),
          {record.classes().begin(), record.classes().end()}};
}

void ToRecord(const Scratch::Slot& slot, checkpoint::Slot* record) {
  record->set_offset(slot.offset);
  record->set_bytes(slot.bytes);
  record->set_checksum(slot.checksum);
}

Scratch::Slot FromRecord(const checkpoint::Slot& record) {
  return {record.offset(), record.bytes(), record.checksum()};
}

void ToRecord(const MergerState& state, checkpoint::Merged* record) {
  record->set_tiles(static_cast<int64_t>(state.settled.size()));
  std::string bits((state.settled.size() + 7) / 8, '\0');
  for (size_t i = 0; i < state.settled.size(); ++i) {
    if (state.settled[i]) bits[i / 8] = static_cast<char>(bits[i / 8] | (1 << (i % 8)));
  }
  record->set_settled(std::move(bits));
  record->set_tiles_added(state.tiles_added);
  record->set_blocks_left(state.blocks_left);
  for (const MergerState::Tile& tile : state.tiles) {
    checkpoint::HeldTile* held = record->add_held();
    held->set_tile(tile.tile);
    held->set_x(tile.rect.x);
    held->set_y(tile.rect.y);
    held->set_width(tile.rect.width);
    held->set_height(tile.rect.height);
    ToRecord(tile.slot, held->mutable_slot());
  }
  for (const MergerState::Block& block : state.blocks) {
    checkpoint::OpenBlock* open = record->add_open();
    open->set_index(block.index);
    open->set_missing(block.missing);
    ToRecord(block.slot, open->mutable_slot());
  }
}

// False: the fields contradict each other.
bool FromRecord(const checkpoint::Merged& record, MergerState* state) {
  const std::string& bits = record.settled();
  if (record.tiles() < 0 || bits.size() != (static_cast<uint64_t>(record.tiles()) + 7) / 8) {
    return false;
  }
  state->settled.resize(static_cast<size_t>(record.tiles()));
  for (size_t i = 0; i < state->settled.size(); ++i) {
    state->settled[i] = ((bits[i / 8] >> (i % 8)) & 1) != 0;
  }
  state->tiles_added = record.tiles_added();
  state->blocks_left = record.blocks_left();
  for (const checkpoint::HeldTile& held : record.held()) {
    state->tiles.push_back(
        {held.tile(), {held.x(), held.y(), held.width(), held.height()}, FromRecord(held.slot())});
  }
  for (const checkpoint::OpenBlock& open : record.open()) {
    state->blocks.push_back({open.index(), open.missing(), FromRecord(open.slot())});
  }
  return true;
}

void ToRecord(const OutputState& state, checkpoint::Written* record) {
  record->set_end(state.tiff.end);
  for (const std::vector<TiffTile>& tiles : state.tiff.levels) {
    checkpoint::Level* level = record->add_levels();
    for (const TiffTile& tile : tiles) {
      level->add_offsets(tile.offset);
      level->add_bytes(tile.bytes);
      level->add_checksums(tile.checksum);
    }
  }
  record->mutable_block_hashes()->Add(state.block_hashes.begin(), state.block_hashes.end());
  record->set_blocks_copied(state.blocks_copied);
  for (const SavedQuarter& saved : state.quarters) {
    checkpoint::Quarter* quarter = record->add_quarters();
    quarter->set_level(saved.level);
    quarter->set_column(saved.column);
    quarter->set_row(saved.row);
    quarter->set_quarter(saved.quarter);
    ToRecord(saved.slot, quarter->mutable_slot());
  }
}

bool FromRecord(const checkpoint::Written& record, OutputState* state) {
  state->tiff.end = record.end();
  for (const checkpoint::Level& level : record.levels()) {
    if (level.bytes_size() != level.offsets_size() ||
        level.checksums_size() != level.offsets_size()) {
      return false;
    }
    std::vector<TiffTile>& tiles = state->tiff.levels.emplace_back();
    for (int i = 0; i < level.offsets_size(); ++i) {
      tiles.push_back({level.offsets(i), level.bytes(i), level.checksums(i)});
    }
  }
  state->block_hashes = {record.block_hashes().begin(), record.block_hashes().end()};
  state->blocks_copied = record.blocks_copied();
  for (const checkpoint::Quarter& quarter : record.quarters()) {
    state->quarters.push_back({quarter.level(), quarter.column(), quarter.row(), quarter.quarter(),
                               FromRecord(quarter.slot())});
  }
  return true;
}

}  // namespace

std::string CheckpointPathFor(const std::string& output) {
  return absl::StrCat(PartialClaim::PathFor(output), ".checkpoint");
}

std::string CheckpointScratchPathFor(const std::string& output) {
  return absl::StrCat(PartialClaim::PathFor(output), ".scratch");
}

void RemoveCheckpoint(const std::string& output) {
  // The record first: without it the scratch means nothing.
  unlink(CheckpointPathFor(output).c_str());
  unlink(CheckpointScratchPathFor(output).c_str());
}

std::string EncodeCheckpoint(const Checkpoint& checkpoint) {
  checkpoint::Checkpoint record;
  for (const JobFact& fact : checkpoint.facts) {
    checkpoint::Fact* added = record.add_facts();
    added->set_name(fact.name);
    added->set_value(fact.value);
  }
  for (const StagePromise& stage : checkpoint.before) ToRecord(stage, record.add_before());
  ToRecord(checkpoint.promise, record.mutable_standing());
  ToRecord(checkpoint.merger, record.mutable_merged());
  ToRecord(checkpoint.output, record.mutable_written());
  record.mutable_holes()->Add(checkpoint.holes.begin(), checkpoint.holes.end());
  record.mutable_drawn()->set_samples(checkpoint.preview.data(), checkpoint.preview.size());
  record.mutable_drawn()->set_pixels(checkpoint.preview_drawn);
  // In place: it may be as large as a preview, which is no part of the job's memory.
  std::string bytes(kHeaderBytes, '\0');
  record.AppendToString(&bytes);
  const std::string header =
      absl::StrCat(kMagic, ChecksumBytes(absl::string_view(bytes).substr(kHeaderBytes)));
  return bytes.replace(0, kHeaderBytes, header);
}

absl::StatusOr<Checkpoint> DecodeCheckpoint(absl::string_view bytes) {
  if (absl::StartsWith(bytes, kMagicOfAnyVersion) && !absl::StartsWith(bytes, kMagic) &&
      bytes.size() >= kHeaderBytes) {
    return absl::FailedPreconditionError(
        "the unfinished output has a checkpoint of another version: use that one, choose another "
        "output, or --overwrite to lose that work");
  }
  const absl::Status torn = absl::DataLossError("the checkpoint is torn or no checkpoint");
  if (bytes.size() < kHeaderBytes || !absl::StartsWith(bytes, kMagic)) return torn;
  const absl::string_view body = bytes.substr(kHeaderBytes);
  checkpoint::Checkpoint record;
  if (bytes.substr(kMagic.size(), 8) != ChecksumBytes(body) ||
      body.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !record.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return torn;
  }
  Checkpoint checkpoint;
  for (const checkpoint::Fact& fact : record.facts()) {
    checkpoint.facts.push_back({fact.name(), fact.value()});
  }
  for (const checkpoint::Standing& stage : record.before()) {
    checkpoint.before.push_back(FromRecord(stage));
  }
  checkpoint.promise = FromRecord(record.standing());
  if (!FromRecord(record.merged(), &checkpoint.merger) ||
      !FromRecord(record.written(), &checkpoint.output)) {
    return torn;
  }
  checkpoint.holes = {record.holes().begin(), record.holes().end()};
  const auto preview =
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(record.drawn().samples().data()),
                          record.drawn().samples().size());
  checkpoint.preview = {preview.begin(), preview.end()};
  checkpoint.preview_drawn = record.drawn().pixels();
  return checkpoint;
}

absl::Status WriteCheckpoint(const std::string& output, const Checkpoint& checkpoint) {
  const std::string bytes = EncodeCheckpoint(checkpoint);
  if (static_cast<int64_t>(bytes.size()) > kRecordBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat("the record of a checkpoint takes ",
                                                     bytes.size(), " bytes, at most ",
                                                     kRecordBytesMax, " are written"));
  }
  return WriteFileDurably(CheckpointPathFor(output), bytes);
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& output) {
  const std::string path = CheckpointPathFor(output);
  struct stat facts;
  if (lstat(path.c_str(), &facts) != 0) {
    return absl::NotFoundError("no checkpoint of it was written");
  }
  if (!S_ISREG(facts.st_mode) || facts.st_size > kRecordBytesMax) {
    return absl::DataLossError("the checkpoint is torn or no checkpoint");
  }
  std::string bytes(static_cast<size_t>(facts.st_size), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file) return absl::DataLossError(absl::StrCat("'", path, "' cannot be read"));
  return DecodeCheckpoint(bytes);
}

std::vector<Scratch::Slot> SlotsOf(const Checkpoint& checkpoint) {
  std::vector<Scratch::Slot> slots;
  for (const MergerState::Tile& tile : checkpoint.merger.tiles) slots.push_back(tile.slot);
  for (const MergerState::Block& block : checkpoint.merger.blocks) slots.push_back(block.slot);
  for (const SavedQuarter& quarter : checkpoint.output.quarters) slots.push_back(quarter.slot);
  return slots;
}

}  // namespace tilewright
