// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_files.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "memory/mapped_memory.h"

namespace sluice::engine {

namespace {

// A file's content as an array, while this object exists. Empty if there is no file.
template <class T>
class MappedFile {
 public:
  explicit MappedFile(int file) {
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) return;
    size_ = static_cast<size_t>(status.st_size);
    void* const mapped = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) data_ = static_cast<const T*>(mapped);
  }
  ~MappedFile() {
    if (data_ != nullptr) munmap(const_cast<T*>(data_), size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const T> elements() const { return {data_, data_ == nullptr ? 0 : size_ / sizeof(T)}; }

 private:
  const T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace

bool WorkerFiles::make(CrashState& crash_state, uint16_t worker, host::Failure& failure) {
  for (size_t i = 0; i < kinds.size(); i++) {
    files_[i] = host::Descriptor(memfd_create("sluice", MFD_CLOEXEC));
    if (!files_[i]) return host::fail(failure, "cannot make a memory file for flows", errno);
    if (!crash_state.give(kinds[i], worker, files_[i].get())) {
      return host::fail(failure,
                        "cannot keep a memory file for the next process (raise the limit of open files, `ulimit -n`)",
                        errno);
    }
  }
  return true;
}

director::DirectorMemory WorkerFiles::of_director() const {
  return {memory::file_memory(files_[0].get()), memory::file_memory(files_[1].get()),
          memory::file_memory(files_[2].get()), memory::file_memory(files_[3].get()), &memory::process_memory()};
}

int WorkerFiles::recorder() const {
  return files_[4].get();
}

director::Restored restore_from(const CrashState& crash_state, uint16_t worker, director::Director& director,
                                Time now) {
  const MappedFile<director::Flow<wire::Ipv4Address>> flows4(crash_state.taken(CrashItem::flows4, worker));
  const MappedFile<director::Flow<wire::Ipv6Address>> flows6(crash_state.taken(CrashItem::flows6, worker));
  const MappedFile<director::SplicedFlow> spliced(crash_state.taken(CrashItem::spliced, worker));
  const MappedFile<director::DestinationIdentity> destinations(crash_state.taken(CrashItem::destinations, worker));
  return director.restore({flows4.elements(), flows6.elements(), spliced.elements(), destinations.elements()}, now);
}

}  // namespace sluice::engine
