// SPDX-License-Identifier: Apache-2.0
#include "host/bpf.h"

#include <linux/if_link.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <bit>
#include <chrono>
#include <thread>
#include <vector>

namespace sluice::host {

namespace {

// The generated headers hold the instructions as numbers.
static_assert(std::endian::native == std::endian::little && sizeof(bpf_insn) == sizeof(uint64_t));

// Values of linux/bpf.h since 6.6. Debian 12 has the headers of 6.1.
constexpr uint32_t tcx_ingress = 46, tcx_egress = 47;
constexpr uint32_t before_all = 1u << 3;  // BPF_F_BEFORE, relative to nothing

// The verifier's log at level 1 of a program of a few thousand instructions fits easily.
constexpr size_t log_size = 4 * 1024 * 1024;
// The last lines of the log name the fault.
constexpr size_t log_kept = 2000;

// The kernel takes the entries of a map that grows from a stock, which an interrupt fills again. ENOMEM means that the
// stock is empty for now, above all on kernels whose interrupt comes with the next tick. A map that has all its entries
// from the beginning has no such stock.
constexpr std::chrono::milliseconds refill_time{2};
constexpr int most_refills = 100;

long call_bpf(bpf_cmd command, bpf_attr& attributes) {
  return syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

uint64_t pointer(const void* to) {
  return reinterpret_cast<uintptr_t>(to);
}

void copy_name(char (&to)[BPF_OBJ_NAME_LEN], const char* name) {
  std::strncpy(to, name, sizeof to - 1);
}

// Explains an errno: a driver's own message does not reach the caller of a link.
const char* reason_of_driver(int error) {
  switch (error) {
    case EOPNOTSUPP:
      return "it has no XDP, or not with the offloads that it has now";
    case EBUSY:
    case EEXIST:
      return "another one is attached (see `ip link`)";
    case EINVAL:
    case ERANGE:
    case ENOSPC:
      return "not with this MTU, or with so few queues";
    default:
      return "";
  }
}

// Kernels before 5.11 count maps as locked memory, of which a process may have little.
void lift_memory_limit() {
  const rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

Descriptor create_link(uint32_t place, uint32_t flags, int program, uint32_t ifindex) {
  bpf_attr attributes{};
  attributes.link_create.prog_fd = static_cast<uint32_t>(program);
  attributes.link_create.target_fd = ifindex;
  attributes.link_create.attach_type = place;
  attributes.link_create.flags = flags;
  return Descriptor(static_cast<int>(call_bpf(BPF_LINK_CREATE, attributes)));
}

bool link_at(uint32_t place, int program, uint32_t ifindex, Descriptor& link, Failure& failure) {
  link = create_link(place, before_all, program, ifindex);
  const char* const where = place == tcx_ingress ? "ingress" : "egress";
  return link ||
         fail(failure,
              std::string("cannot attach a BPF program to the ") + where + " of interface " + std::to_string(ifindex),
              errno);
}

}  // namespace

bool BpfMap::create(const MapShape& shape, Failure& failure) {
  lift_memory_limit();
  shape_ = shape;
  bpf_attr attributes{};
  attributes.map_type = shape.type;
  attributes.key_size = shape.key_size;
  attributes.value_size = shape.value_size;
  attributes.max_entries = shape.entries;
  attributes.map_flags = shape.flags;
  copy_name(attributes.map_name, shape.name);
  fd_ = Descriptor(static_cast<int>(call_bpf(BPF_MAP_CREATE, attributes)));
  return fd_ || fail(failure, std::string("cannot create the BPF map ") + shape.name, errno);
}

bool BpfMap::update(const void* key, const void* value) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(fd());
  attributes.key = pointer(key);
  attributes.value = pointer(value);
  return call_bpf(BPF_MAP_UPDATE_ELEM, attributes) == 0;
}

bool BpfMap::failed_to_set(int error, Failure& failure) const {
  std::string what = std::string("cannot add to the BPF map ") + shape_.name;
  if (error == E2BIG || error == ENOSPC) what += ", which holds " + std::to_string(shape_.entries) + " entries";
  return fail(failure, what, error);
}

bool BpfMap::set(const void* key, const void* value, Failure& failure) {
  return update(key, value) || failed_to_set(errno, failure);
}

bool BpfMap::set_one_of_many(const void* key, const void* value, Failure& failure) {
  const bool has_stock = (shape_.flags & BPF_F_NO_PREALLOC) != 0;
  for (int refills = 0; !update(key, value); refills++) {
    if (errno != ENOMEM || !has_stock || refills == most_refills) return failed_to_set(errno, failure);
    std::this_thread::sleep_for(refill_time);
  }
  return true;
}

bool BpfMap::remove(const void* key, Failure& failure) {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(fd());
  attributes.key = pointer(key);
  if (call_bpf(BPF_MAP_DELETE_ELEM, attributes) == 0 || errno == ENOENT) return true;
  return fail(failure, std::string("cannot remove from the BPF map ") + shape_.name, errno);
}

bool BpfMap::get(const void* key, void* value) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(fd());
  attributes.key = pointer(key);
  attributes.value = pointer(value);
  return call_bpf(BPF_MAP_LOOKUP_ELEM, attributes) == 0;
}

bool BpfMap::first(void* key) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(fd());
  attributes.next_key = pointer(key);
  return call_bpf(BPF_MAP_GET_NEXT_KEY, attributes) == 0;
}

bool BpfMap::next(void* key) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(fd());
  attributes.key = pointer(key);
  attributes.next_key = pointer(key);
  return call_bpf(BPF_MAP_GET_NEXT_KEY, attributes) == 0;
}

bool load_program(const bpf::Program& program, bpf_prog_type type, std::span<const BpfMap> maps, Descriptor& loaded,
                  Failure& failure) {
  lift_memory_limit();
  std::vector<uint64_t> instructions(program.instructions.begin(), program.instructions.end());
  for (const bpf::Relocation& relocation : program.relocations) {
    auto instruction = std::bit_cast<bpf_insn>(instructions[relocation.instruction]);
    instruction.src_reg = BPF_PSEUDO_MAP_FD;
    instruction.imm = maps[relocation.map].fd();
    instructions[relocation.instruction] = std::bit_cast<uint64_t>(instruction);
  }
  bpf_attr attributes{};
  attributes.prog_type = type;
  attributes.insns = pointer(instructions.data());
  attributes.insn_cnt = static_cast<uint32_t>(instructions.size());
  attributes.license = pointer("Apache-2.0");  // no helper that it calls requires a GPL program
  copy_name(attributes.prog_name, program.name);
  loaded = Descriptor(static_cast<int>(call_bpf(BPF_PROG_LOAD, attributes)));
  if (loaded) return true;
  const int error = errno;

  std::vector<char> log(log_size);
  attributes.log_level = 1;
  attributes.log_size = static_cast<uint32_t>(log.size());
  attributes.log_buf = pointer(log.data());
  loaded = Descriptor(static_cast<int>(call_bpf(BPF_PROG_LOAD, attributes)));
  if (loaded) return true;
  std::string text(log.data(), strnlen(log.data(), log.size()));
  if (text.size() > log_kept) text.erase(0, text.size() - log_kept);
  fail(failure, std::string("the kernel refused the BPF program ") + program.name, error);
  if (!text.empty()) failure.message += "\n" + text;
  return false;
}

bool link_at_ingress(int program, uint32_t ifindex, Descriptor& link, Failure& failure) {
  return link_at(tcx_ingress, program, ifindex, link, failure);
}
bool link_at_egress(int program, uint32_t ifindex, Descriptor& link, Failure& failure) {
  return link_at(tcx_egress, program, ifindex, link, failure);
}

bool link_in_driver(int program, uint32_t ifindex, Descriptor& link, Failure& failure) {
  link = create_link(BPF_XDP, XDP_FLAGS_DRV_MODE, program, ifindex);
  if (link) return true;
  const int error = errno;
  return fail(failure, std::string("the driver takes no XDP program: ") + reason_of_driver(error), error);
}

std::optional<Run> run_program(int program, wire::Bytes frame, uint32_t repetitions, uint32_t interface) {
  bpf_attr attributes{};
  __sk_buff received_by{};
  received_by.ifindex = interface;
  if (interface != 0) {
    attributes.test.ctx_in = pointer(&received_by);
    attributes.test.ctx_size_in = sizeof received_by;
  }
  attributes.test.prog_fd = static_cast<uint32_t>(program);
  attributes.test.data_in = pointer(frame.data());
  attributes.test.data_size_in = static_cast<uint32_t>(frame.size());
  attributes.test.repeat = repetitions;
  if (call_bpf(BPF_PROG_TEST_RUN, attributes) != 0) return std::nullopt;
  return Run{attributes.test.retval, attributes.test.duration};
}

}  // namespace sluice::host
