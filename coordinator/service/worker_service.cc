#include "coordinator/service/worker_service.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "coordinator/service/control_stream.h"
#include "coordinator/service/file_stream.h"
#include "coordinator/service/principal.h"
#include "coordinator/service/tile_streams.h"
#include "tilewright/v1/worker_service.grpc.pb.h"

namespace tilewright {
namespace {

// The files of a model one after the other, in pieces.
class ModelFilesSource {
 public:
  explicit ModelFilesSource(const RepositoryModel* model) : model_(model) {}

  absl::StatusOr<bool> operator()(v1::FetchModelResponse* response) {
    while (!file_.is_open()) {
      if (next_ == model_->files.size()) return false;
      const ModelFile& file = model_->files[next_];
      file_.open(file.path, std::ios::binary);
      if (!file_) return Unreadable(file);
      left_ = file.bytes;
      response->set_file(file.name);
      response->set_file_bytes(static_cast<uint64_t>(file.bytes));
      if (left_ > 0) break;
      file_.close();
      ++next_;
      return true;
    }
    const auto piece = static_cast<size_t>(std::min<int64_t>(left_, kPieceBytesMax));
    std::string* data = response->mutable_data();
    data->resize(piece);
    file_.read(data->data(), static_cast<std::streamsize>(piece));
    if (static_cast<size_t>(file_.gcount()) != piece) return Unreadable(model_->files[next_]);
    left_ -= static_cast<int64_t>(piece);
    if (left_ == 0) {
      file_.close();
      ++next_;
    }
    return true;
  }

 private:
  absl::Status Unreadable(const ModelFile& file) const {
    return absl::DataLossError(absl::StrCat("'", file.path, "' of ", model_->model.name(),
                                            " cannot be read or has changed since the coordinator "
                                            "started: restart the coordinator"));
  }

  const RepositoryModel* const model_;
  size_t next_ = 0;  // file that is open, or to be opened
  std::ifstream file_;
  int64_t left_ = 0;  // bytes of the open file
};

using GeneratedService = v1::WorkerService::WithCallbackMethod_Control<
    v1::WorkerService::WithRawCallbackMethod_ReceiveTiles<
        v1::WorkerService::WithRawCallbackMethod_SubmitTiles<
            v1::WorkerService::WithCallbackMethod_FetchModel<v1::WorkerService::Service>>>>;

class WorkerServiceImpl final : public GeneratedService {
 public:
  WorkerServiceImpl(Dispatcher& dispatcher, const ModelRepository& models, ThreadPool& io)
      : dispatcher_(dispatcher), models_(models), io_(io) {}

  ControlStream::Reactor* Control(grpc::CallbackServerContext* context) override {
    return ControlStream::Start(dispatcher_, PrincipalOf(*context));
  }

  ReceiveStream::Reactor* ReceiveTiles(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request) override {
    return ReceiveStream::Start(dispatcher_, PrincipalOf(*context), *request);
  }

  SubmitStream::Reactor* SubmitTiles(grpc::CallbackServerContext* context) override {
    return SubmitStream::Start(dispatcher_, PrincipalOf(*context));
  }

  grpc::ServerWriteReactor<v1::FetchModelResponse>* FetchModel(
      grpc::CallbackServerContext* context, const v1::FetchModelRequest* request) override {
    const Principal principal = PrincipalOf(*context);
    const absl::StatusOr<const RepositoryModel*> model =
        models_.FindByDigest(request->model_digest());
    if (!model.ok()) {
      return FileStream<v1::FetchModelResponse>::Start(
          io_,
          [status = WithReason(model.status(), "UNKNOWN_MODEL")](
              v1::FetchModelResponse*) -> absl::StatusOr<bool> { return status; });
    }
    spdlog::info("{} fetches {}", principal.peer, (*model)->model.name());
    auto source = std::make_shared<ModelFilesSource>(*model);
    return FileStream<v1::FetchModelResponse>::Start(
        io_, [source](v1::FetchModelResponse* response) { return (*source)(response); });
  }

 private:
  Dispatcher& dispatcher_;
  const ModelRepository& models_;
  ThreadPool& io_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateWorkerService(Dispatcher& dispatcher,
                                                   const ModelRepository& models, ThreadPool& io) {
  return std::make_unique<WorkerServiceImpl>(dispatcher, models, io);
}

}  // namespace tilewright
