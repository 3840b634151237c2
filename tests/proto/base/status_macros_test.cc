#include "proto/base/status_macros.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

absl::Status PassThrough(const absl::Status& status, bool& went_on) {
  TW_RETURN_IF_ERROR(status);
  went_on = true;
  return absl::OkStatus();
}

absl::StatusOr<int> SumOf(absl::StatusOr<std::unique_ptr<int>> a, absl::StatusOr<int> b) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<int> first, std::move(a));
  int second = 0;
  TW_ASSIGN_OR_RETURN(second, b);
  return *first + second;
}

TEST(ReturnIfError, ReturnsAnErrorAndGoesOnAfterOk) {
  bool went_on = false;
  EXPECT_EQ(PassThrough(absl::NotFoundError("no tile"), went_on), absl::NotFoundError("no tile"));
  EXPECT_FALSE(went_on);
  EXPECT_TRUE(PassThrough(absl::OkStatus(), went_on).ok());
  EXPECT_TRUE(went_on);
}

TEST(AssignOrReturn, MovesTheValueOrReturnsTheError) {
  EXPECT_EQ(*SumOf(std::make_unique<int>(40), 2), 42);
  EXPECT_EQ(SumOf(absl::AbortedError("first"), 2).status(), absl::AbortedError("first"));
  EXPECT_EQ(SumOf(std::make_unique<int>(40), absl::AbortedError("second")).status(),
            absl::AbortedError("second"));
}

TEST(Annotate, OpensTheMessageAndKeepsCodeAndPayloads) {
  absl::Status status = absl::NotFoundError("no such file");
  status.SetPayload("tilewright/reason", absl::Cord("INPUT_MISSING"));
  const absl::Status annotated = Annotate(status, "opening /a.png");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(annotated.message(), "opening /a.png: no such file");
  EXPECT_EQ(annotated.GetPayload("tilewright/reason"), absl::Cord("INPUT_MISSING"));
}

TEST(Annotate, LeavesOkAlone) { EXPECT_EQ(Annotate(absl::OkStatus(), "x"), absl::OkStatus()); }

}  // namespace
}  // namespace tilewright
