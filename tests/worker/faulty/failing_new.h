// Memory that runs out: while an object lives, every k-th allocation of its thread fails. Only in
// programs that are linked with failing_new.cc, whose operator new replaces the standard one.

#ifndef TILEWRIGHT_TESTS_WORKER_FAULTY_FAILING_NEW_H_
#define TILEWRIGHT_TESTS_WORKER_FAULTY_FAILING_NEW_H_

#include <cstdint>

namespace tilewright {

class FailingNew {
 public:
  // Every `every`-th allocation of 4 KiB or more, counted over all objects of the thread, throws
  // std::bad_alloc; 0: none does. Objects of one thread must not overlap.
  explicit FailingNew(uint64_t every);
  ~FailingNew();
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_FAULTY_FAILING_NEW_H_
