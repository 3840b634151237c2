// The protocol stays readable for programs of earlier releases: whatever a frozen descriptor set in
// proto/compat holds is still there, with the same numbers and types. Freeze a new release with `cp
// build/release/tilewright_v1.binpb proto/compat/<version>.binpb`.

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::ServiceDescriptor;

FileDescriptorSet Read(const std::filesystem::path& path) {
  FileDescriptorSet set;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good() && set.ParseFromIstream(&file)) << path << " is no descriptor set";
  return set;
}

void Build(const FileDescriptorSet& set, DescriptorPool& pool) {
  for (const FileDescriptorProto& file : set.file()) {
    ASSERT_NE(pool.BuildFile(file), nullptr) << file.name();
  }
}

std::string TypeOf(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

void CompareMessage(const Descriptor& old, const DescriptorPool& now,
                    std::vector<std::string>* broken) {
  const Descriptor* message = now.FindMessageTypeByName(old.full_name());
  if (message == nullptr)
    return broken->push_back(absl::StrCat("message ", old.full_name(), " is gone"));
  for (int i = 0; i < old.field_count(); ++i) {
    const FieldDescriptor& field = *old.field(i);
    const FieldDescriptor* same = message->FindFieldByNumber(field.number());
    const std::string number = absl::StrCat("field ", field.number(), " of ", old.full_name());
    if (same == nullptr) {
      broken->push_back(absl::StrCat(number, " (", field.name(), ") is gone"));
    } else if (same->name() != field.name() || TypeOf(*same) != TypeOf(field) ||
               same->is_repeated() != field.is_repeated()) {
      broken->push_back(absl::StrCat(number, " was ", TypeOf(field), " ", field.name(), " and is ",
                                     TypeOf(*same), " ", same->name()));
    }
  }
  for (int i = 0; i < old.nested_type_count(); ++i)
    CompareMessage(*old.nested_type(i), now, broken);
}

void CompareEnum(const EnumDescriptor& old, const DescriptorPool& now,
                 std::vector<std::string>* broken) {
  const EnumDescriptor* same = now.FindEnumTypeByName(old.full_name());
  for (int i = 0; i < old.value_count(); ++i) {
    const auto* value = same == nullptr ? nullptr : same->FindValueByNumber(old.value(i)->number());
    if (value == nullptr || value->name() != old.value(i)->name()) {
      broken->push_back(absl::StrCat("value ", old.value(i)->full_name(), " is gone"));
    }
  }
}

void CompareService(const ServiceDescriptor& old, const DescriptorPool& now,
                    std::vector<std::string>* broken) {
  const ServiceDescriptor* service = now.FindServiceByName(old.full_name());
  for (int i = 0; i < old.method_count(); ++i) {
    const auto& method = *old.method(i);
    const auto* same = service == nullptr ? nullptr : service->FindMethodByName(method.name());
    if (same == nullptr || same->input_type()->full_name() != method.input_type()->full_name() ||
        same->output_type()->full_name() != method.output_type()->full_name() ||
        same->client_streaming() != method.client_streaming() ||
        same->server_streaming() != method.server_streaming()) {
      broken->push_back(
          absl::StrCat("method ", method.full_name(), " is gone or takes other messages"));
    }
  }
}

// What of `old` is not in `now` as it was.
std::vector<std::string> Broken(const FileDescriptorSet& old, const FileDescriptorSet& now) {
  DescriptorPool old_pool, pool;
  Build(old, old_pool);
  Build(now, pool);
  std::vector<std::string> broken;
  for (const FileDescriptorProto& proto : old.file()) {
    const auto* file = old_pool.FindFileByName(proto.name());
    for (int i = 0; i < file->message_type_count(); ++i)
      CompareMessage(*file->message_type(i), pool, &broken);
    for (int i = 0; i < file->enum_type_count(); ++i)
      CompareEnum(*file->enum_type(i), pool, &broken);
    for (int i = 0; i < file->service_count(); ++i)
      CompareService(*file->service(i), pool, &broken);
  }
  return broken;
}

TEST(Compatibility, NothingOfAFrozenProtocolIsGoneOrChanged) {
  const FileDescriptorSet now = Read(TILEWRIGHT_DESCRIPTOR_SET);
  int releases = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(TILEWRIGHT_SOURCE_DIR "/proto/compat")) {
    if (entry.path().extension() != ".binpb") continue;
    ++releases;
    EXPECT_THAT(Broken(Read(entry.path()), now), testing::IsEmpty())
        << "against " << entry.path().filename();
  }
  EXPECT_GT(releases, 0) << "no frozen protocol in proto/compat";
}

TEST(Compatibility, ARenumberedFieldAndALostMethodAreFound) {
  const FileDescriptorSet now = Read(TILEWRIGHT_DESCRIPTOR_SET);
  FileDescriptorSet changed = now;
  for (FileDescriptorProto& file : *changed.mutable_file()) {
    if (file.name() == "tilewright/v1/tile.proto") {
      for (auto& message : *file.mutable_message_type()) {
        if (message.name() == "LeaseId") message.mutable_field(0)->set_number(99);
      }
    }
    if (file.name() == "tilewright/v1/pool_service.proto") {
      file.mutable_service(0)->mutable_method()->DeleteSubrange(0, 1);
    }
  }
  EXPECT_THAT(Broken(now, changed),
              testing::UnorderedElementsAre(
                  "field 1 of tilewright.v1.LeaseId (epoch) is gone",
                  "method tilewright.v1.PoolService.ListWorkers is gone or takes other messages"));
}

}  // namespace
}  // namespace tilewright
