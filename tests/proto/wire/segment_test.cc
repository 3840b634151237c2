// Shared memory between two ends: what is accepted of a peer, slots and their tickets, and what is
// left after a process was killed.

#include "proto/wire/segment.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/wire/slots.h"

namespace tilewright {
namespace {

using testing::HasSubstr;

constexpr uint64_t kPair = 2 * kSlotBytes;

struct Ends {
  std::shared_ptr<Segment> created;
  std::shared_ptr<Segment> opened;
};

Ends Share(uint64_t bytes_max = uint64_t{1} << 30) {
  Ends ends;
  auto created = Segment::Create(bytes_max);
  EXPECT_TRUE(created.ok()) << created.status();
  ends.created = *created;
  auto opened = Segment::Open(ends.created->offer());
  EXPECT_TRUE(opened.ok()) << opened.status();
  ends.opened = *opened;
  return ends;
}

std::vector<std::byte> Bytes(size_t size, int seed) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(i * 31 + static_cast<size_t>(seed));
  }
  return bytes;
}

int OpenFiles() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<int>(std::distance(begin(files), end(files)));
}

bool MapsSegments() {
  std::ifstream maps("/proc/self/maps");
  const std::string text(std::istreambuf_iterator<char>(maps), {});
  return text.find("tilewright-segment") != std::string::npos;
}

std::vector<std::string> SharedFiles() {
  std::vector<std::string> names;
  if (!std::filesystem::exists("/dev/shm")) return names;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    if (entry.path().string().find("tilewright-segment") != std::string::npos) {
      names.push_back(entry.path());
    }
  }
  return names;
}

// A child that offers memory, fills one slot and then does nothing until it is killed.
struct Child {
  pid_t pid = -1;
  v1::SegmentOffer offer;
  v1::SegmentSlice slice;
};

// `prepare` runs in the child first.
Child StartChild(const std::vector<std::byte>& bytes, const std::function<void()>& prepare = {}) {
  int pipes[2];
  EXPECT_EQ(pipe(pipes), 0);
  Child child;
  child.pid = fork();
  if (child.pid == 0) {
    if (prepare) prepare();
    auto segment = Segment::Create(kPair + 4096);
    if (!segment.ok()) _exit(1);
    SlotWriter writer(*segment, SegmentHalf::kResults);
    const auto slice = writer.Put(bytes);
    std::string text = (*segment)->offer().SerializeAsString();
    const std::string piece = slice->SerializeAsString();
    const std::string sizes = {static_cast<char>(text.size()), static_cast<char>(piece.size())};
    text = absl::StrCat(sizes, text, piece);
    if (write(pipes[1], text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(1);
    while (true) pause();
  }
  close(pipes[1]);
  char text[256] = {};
  EXPECT_GT(read(pipes[0], text, sizeof(text)), 2);
  close(pipes[0]);
  EXPECT_TRUE(child.offer.ParseFromString(std::string(text + 2, static_cast<size_t>(text[0]))));
  EXPECT_TRUE(
      child.slice.ParseFromString(std::string(text + 2 + text[0], static_cast<size_t>(text[1]))));
  return child;
}

void Kill(const Child& child) {
  kill(child.pid, SIGKILL);
  waitpid(child.pid, nullptr, 0);
}

TEST(Segment, BytesArriveInEitherHalfFromEitherEnd) {
  const Ends ends = Share();
  for (const SegmentHalf half : {SegmentHalf::kInputs, SegmentHalf::kResults}) {
    SlotWriter here(ends.created, half), there(ends.opened, half);
    for (size_t size : {size_t{1}, size_t{100'000}, static_cast<size_t>(kSlotBytes)}) {
      const std::vector<std::byte> first = Bytes(size, 1), second = Bytes(size, 2);
      const auto a = here.Put(first);
      const auto b = there.Put(second);
      ASSERT_TRUE(a && b);
      EXPECT_TRUE(std::ranges::equal(*ends.opened->View(half, *a), first));
      EXPECT_TRUE(std::ranges::equal(*ends.created->View(half, *b), second));
      EXPECT_TRUE(ends.opened->Release(half, *a).ok());
      EXPECT_TRUE(ends.created->Release(half, *b).ok());
    }
  }
}

TEST(Segment, AFullHalfGivesNoSlotUntilOneIsReadAndTheOtherHalfIsFree) {
  const Ends ends = Share();
  SlotWriter writer(ends.created, SegmentHalf::kResults);
  SlotWriter inputs(ends.opened, SegmentHalf::kInputs);
  std::vector<v1::SegmentSlice> slices;
  for (int i = 0; i < kSlotsMax; ++i) {
    const auto slice = writer.Put(Bytes(1000, i));
    ASSERT_TRUE(slice.has_value()) << i;
    slices.push_back(*slice);
  }
  EXPECT_FALSE(writer.Put(Bytes(1000, 99)).has_value());
  EXPECT_EQ(ends.created->slot_misses(), 1u);
  EXPECT_TRUE(inputs.Put(Bytes(1000, 5)).has_value());
  for (int i = 0; i < kSlotsMax; ++i) {
    const auto& slice = slices[static_cast<size_t>(i)];
    EXPECT_TRUE(
        std::ranges::equal(*ends.opened->View(SegmentHalf::kResults, slice), Bytes(1000, i)));
  }
  ASSERT_TRUE(ends.opened->Release(SegmentHalf::kResults, slices[7]).ok());
  const auto again = writer.Put(Bytes(1000, 99));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->offset(), slices[7].offset());
  EXPECT_NE(again->ticket(), slices[7].ticket());
}

TEST(Segment, ASlotThatWasTakenBackIsNeitherReadNorReleased) {
  const Ends ends = Share();
  constexpr SegmentHalf kHalf = SegmentHalf::kResults;
  auto writer = std::make_unique<SlotWriter>(ends.created, kHalf);
  const v1::SegmentSlice read = *writer->Put(Bytes(1000, 1));
  const v1::SegmentSlice unread = *writer->Put(Bytes(1000, 2));
  ASSERT_TRUE(ends.opened->Release(kHalf, read).ok());
  EXPECT_TRUE(absl::IsAborted(ends.opened->Release(kHalf, read))) << "released twice";
  ASSERT_TRUE(ends.opened->View(kHalf, unread).ok());
  writer.reset();  // its stream ended while the reader copied
  EXPECT_TRUE(absl::IsAborted(ends.opened->Release(kHalf, unread)));
  EXPECT_TRUE(absl::IsAborted(ends.opened->View(kHalf, unread).status()));
  // What another stream has put there since is its own.
  SlotWriter next(ends.created, kHalf);
  const v1::SegmentSlice other = *next.Put(Bytes(1000, 3));
  EXPECT_EQ(other.offset(), read.offset());
  EXPECT_TRUE(absl::IsAborted(ends.opened->Release(kHalf, read)));
  EXPECT_TRUE(std::ranges::equal(*ends.opened->View(kHalf, other), Bytes(1000, 3)));
}

TEST(Segment, AnEndedWriterLeavesTheSlotsOfOthersAlone) {
  const Ends ends = Share();
  constexpr SegmentHalf kHalf = SegmentHalf::kInputs;
  auto old = std::make_unique<SlotWriter>(ends.opened, kHalf);
  const v1::SegmentSlice first = *old->Put(Bytes(10, 1));
  ASSERT_TRUE(ends.created->Release(kHalf, first).ok());
  SlotWriter next(ends.opened, kHalf);
  const v1::SegmentSlice second = *next.Put(Bytes(10, 2));
  ASSERT_EQ(second.offset(), first.offset());
  old.reset();
  EXPECT_TRUE(ends.created->Release(kHalf, second).ok());
}

TEST(Segment, ASliceOutsideItsHalfIsRefused) {
  const Ends ends = Share();
  SlotWriter writer(ends.created, SegmentHalf::kResults);
  const v1::SegmentSlice good = *writer.Put(Bytes(1000, 1));
  ASSERT_TRUE(ends.opened->View(SegmentHalf::kResults, good).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(ends.opened->View(SegmentHalf::kInputs, good).status()))
      << "the other half";
  constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();
  const uint64_t slot = kSlotBytes;
  const uint64_t end = good.offset() + slot * kSlotsMax;
  for (const uint64_t offset :
       {uint64_t{0}, good.offset() - 1, good.offset() + 1, good.offset() - slot, end, kHuge,
        kHuge - slot + 1, kHuge - slot + 1 + good.offset() % slot}) {
    v1::SegmentSlice bad = good;
    bad.set_offset(offset);
    EXPECT_TRUE(absl::IsInvalidArgument(ends.opened->View(SegmentHalf::kResults, bad).status()))
        << offset;
    EXPECT_FALSE(ends.opened->Release(SegmentHalf::kResults, bad).ok()) << offset;
  }
  for (const uint64_t bytes : {uint64_t{0}, slot + 1, kHuge}) {
    v1::SegmentSlice bad = good;
    bad.set_bytes(bytes);
    EXPECT_TRUE(absl::IsInvalidArgument(ends.opened->View(SegmentHalf::kResults, bad).status()))
        << bytes;
  }
  v1::SegmentSlice stranger = good;
  stranger.set_ticket(good.ticket() + 1);
  EXPECT_TRUE(absl::IsAborted(ends.opened->View(SegmentHalf::kResults, stranger).status()));
  stranger.set_ticket(0);
  EXPECT_FALSE(ends.opened->View(SegmentHalf::kResults, stranger).ok());
}

TEST(Segment, StaysWithinTheCreditBytes) {
  for (const uint64_t bytes : {kPair + 4096, 3 * kPair, 5 * kPair + 1, uint64_t{1} << 40}) {
    const Ends ends = Share(bytes);
    EXPECT_LE(ends.created->offer().bytes(), bytes);
    EXPECT_LE(ends.created->offer().bytes(), 4096 + kPair * kSlotsMax);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(Segment::Create(kPair + 4095).status()));
}

TEST(SegmentOffer, AnotherNonceSizeOrNameIsNoProof) {
  const auto segment = Segment::Create(uint64_t{1} << 30);
  ASSERT_TRUE(segment.ok()) << segment.status();
  const v1::SegmentOffer good = (*segment)->offer();
  const auto refused = [](const v1::SegmentOffer& offer, const char* why) {
    const auto opened = Segment::Open(offer);
    EXPECT_TRUE(absl::IsFailedPrecondition(opened.status())) << opened.status();
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr(why));
  };
  v1::SegmentOffer bad = good;
  bad.mutable_nonce()->back() ^= 1;
  refused(bad, "nonce");
  bad.set_nonce("");
  refused(bad, "nonce");
  bad = good;
  for (const uint64_t bytes : {uint64_t{0}, good.bytes() - 1, good.bytes() - kPair,
                               good.bytes() + kPair, std::numeric_limits<uint64_t>::max()}) {
    bad.set_bytes(bytes);
    refused(bad, "were offered");
  }
  bad = good;
  for (const char* name :
       {"", "/", "1", "1/", "/1", "1/2/3", "-1/3", "self/3", "1/../3", "12345678901/3", "1 /3"}) {
    bad.set_name(name);
    refused(bad, "PID/FD");
  }
  const int other = open("/dev/zero", O_RDWR | O_CLOEXEC);
  bad.set_name(absl::StrCat(getpid(), "/", other));
  refused(bad, "no such memory");
  close(other);
  bad.set_name(absl::StrCat(getpid(), "/", other));
  refused(bad, "No such file");
  EXPECT_TRUE(Segment::Open(good).ok());  // the control
  (*segment)->CloseOffer();
  refused(good, "No such file");
}

TEST(SegmentOffer, MemoryThatItsPeerCouldCutOffIsRefused) {
  const uint64_t bytes = 4096 + kPair;
  const auto open_with = [&](int seals) {
    const int fd = memfd_create("tilewright-segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EXPECT_EQ(ftruncate(fd, static_cast<off_t>(bytes)), 0);
    const std::string head = absl::StrCat(absl::string_view("TWSEG\0\0\1", 8), "0123456789abcdef");
    EXPECT_EQ(pwrite(fd, head.data(), head.size(), 0), static_cast<ssize_t>(head.size()));
    EXPECT_EQ(fcntl(fd, F_ADD_SEALS, seals), 0);
    v1::SegmentOffer offer;
    offer.set_name(absl::StrCat(getpid(), "/", fd));
    offer.set_nonce("0123456789abcdef");
    offer.set_bytes(bytes);
    const absl::Status status = Segment::Open(offer).status();
    close(fd);
    return status;
  };
  EXPECT_TRUE(open_with(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL).ok());
  EXPECT_THAT(std::string(open_with(F_SEAL_GROW | F_SEAL_SEAL).message()), HasSubstr("sealed"));
  EXPECT_THAT(std::string(open_with(0).message()), HasSubstr("sealed"));
  // A created one cannot be cut off even by its creator.
  const auto segment = Segment::Create(bytes);
  ASSERT_TRUE(segment.ok());
  const std::vector<std::string> name = absl::StrSplit((*segment)->offer().name(), '/');
  EXPECT_NE(ftruncate(std::stoi(name[1]), 4096), 0);
}

TEST(SegmentOffer, AnotherUsersMemoryIsRefusedAndOursCannotBeOpenedByIt) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const auto become_nobody = [] {
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) _exit(1);
  };
  const Child child = StartChild(Bytes(10, 1), become_nobody);
  const auto opened = Segment::Open(child.offer);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("user 65534"));
  Kill(child);

  const auto segment = Segment::Create(uint64_t{1} << 30);
  ASSERT_TRUE(segment.ok());
  const pid_t other = fork();
  if (other == 0) {
    become_nobody();
    _exit(absl::IsFailedPrecondition(Segment::Open((*segment)->offer()).status()) ? 0 : 1);
  }
  int status = -1;
  waitpid(other, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Segment, APeerThatIsKilledLeavesWhatItPutAndThenNothing) {
  const int files_before = OpenFiles();
  const std::vector<std::byte> bytes = Bytes(100'000, 4);
  {
    const Child child = StartChild(bytes);
    const auto opened = Segment::Open(child.offer);
    Kill(child);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_TRUE(MapsSegments());
    const auto view = (*opened)->View(SegmentHalf::kResults, child.slice);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_TRUE(std::ranges::equal(*view, bytes));
    EXPECT_FALSE(Segment::Open(child.offer).ok()) << "a dead process offers nothing";
  }
  EXPECT_FALSE(MapsSegments());
  EXPECT_EQ(OpenFiles(), files_before);
  EXPECT_THAT(SharedFiles(), testing::IsEmpty());
}

}  // namespace
}  // namespace tilewright
