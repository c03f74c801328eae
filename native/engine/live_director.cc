// SPDX-License-Identifier: Apache-2.0
#include "engine/live_director.h"

#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "engine/absent_port.h"
#include "engine/ownership.h"
#include "memory/mapped_memory.h"
#include "port/port_wait.h"

namespace sluice::engine {

namespace {

// If the tables had to grow for more of them, an edit could take a millisecond, once per doubling. The kernel's maps
// hold as many.
constexpr size_t expected_services = 65536, expected_servers = 65536;

// Limit of questions that wait for an answer. Packets that come later ask again.
constexpr size_t most_questions = 256;

constexpr Time retry_interval = second;

constexpr const char* too_many_files = "cannot make an eventfd (raise the limit of open files, `ulimit -n`)";

host::Failure failure_of(const port::PortError& error) {
  std::string message = error.problem;
  if (error.system_errno != 0)
    message += std::string(": ") + error.system_call + ": " + std::strerror(error.system_errno);
  if (!error.remedy.empty()) message += "; " + error.remedy;
  return {message, error.system_errno};
}

// Of a port, for Notices.
std::string condition(const char* what, director::PortId port) {
  return what + (" " + std::to_string(port));
}

}  // namespace

LiveDirector::LiveDirector(LiveDirectorOptions options, StatisticsPage& page)
    : options_(std::move(options)),
      page_(page),
      configuration_({options_.director.flow_limit, options_.director.fragment_limit}),
      alarm_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

LiveDirector::~LiveDirector() {
  end_forwarding();
  // The next process takes over what still has connections. Until then it stays stolen: the host would reset it.
  if (steal_ && is_stealing_) steal_->leave_behind();
  if (alarm_ >= 0) ::close(alarm_);
}

bool LiveDirector::open(host::Failure& failure) {
  if (alarm_ < 0) return host::fail(failure, too_many_files);
  constexpr size_t most_ports = port::max_ports - 1;  // one is for the host's own stack
  if (options_.interfaces.empty() || options_.interfaces.size() > most_ports) {
    return host::fail(failure, "a director has 1 to " + std::to_string(most_ports) + " ports, not " +
                                   std::to_string(options_.interfaces.size()));
  }
  std::vector<host::NetworkPort> ports;
  for (const std::string& interface : options_.interfaces) {
    const uint16_t vlan = ports.size() < options_.vlans.size() ? options_.vlans[ports.size()] : uint16_t{0};
    // If the kernel cannot cut the segments of tunnels, the director cuts them itself.
    host::Failure ignored;
    ports.push_back({interface, vlan, tunnel_egress_.add(if_nametoindex(interface.c_str()), ignored)});
  }
  const auto changed = [this](std::shared_ptr<const director::RouteTable> route_table) {
    use_route_table(route_table);
  };
  network_ = host::HostNetwork::open(std::move(ports), changed, monotonic_nanoseconds(), failure);
  if (!network_) return false;
  std::vector<uint32_t> present;
  ended_.resize(options_.interfaces.size());
  kinds_.resize(options_.interfaces.size());
  for (director::PortId port = 0; port < options_.interfaces.size(); port++) {
    opened_.push_back(network_->interface(port));
    up_.push_back(network_->is_up(port));
    if (opened_.back() != 0) {
      present.push_back(opened_.back());
    } else if (!is_successor()) {
      return host::fail(failure, "there is no interface " + options_.interfaces[port]);
    }
  }
  attached_ = opened_;
  // Without an interface the loopback device shows which way the kernel has.
  const uint32_t loopback = present.empty() ? if_nametoindex("lo") : 0;
  if (loopback != 0) present.push_back(loopback);
  steal_ = host::Steal::attach(present, options_.stealing, failure);
  if (!steal_) return false;
  if (loopback != 0) steal_->remove(loopback);
  if (!steal_->notice().empty()) notices_.set("stealing", steal_->notice());
  if (options_.cpus.size() > 1 && !steal_->load_fanout(failure)) return false;
  for (director::PortId port = 0; port < options_.interfaces.size(); port++) {
    fanouts_.push_back({.program = steal_->fanout(), .stuck = [this, port] { note_stuck(port); }});
  }
  std::vector<Ports> of_workers(options_.cpus.size());
  for (director::PortId port = 0; port < options_.interfaces.size(); port++) {
    Ports of_port;
    if (!open_for_all(port, opened_[port], of_port, failure)) {
      if (!is_successor()) return false;
      notices_.set(condition("port", port), failure.message);
      opened_[port] = 0;
      static_cast<void>(open_for_all(port, 0, of_port, failure));
    }
    for (size_t number = 0; number < of_workers.size(); number++) {
      of_workers[number].push_back(std::move(of_port[number]));
    }
  }
  for (uint16_t number = 0; number < options_.cpus.size(); number++) {
    if (!add_worker(number, std::move(of_workers[number]), failure)) return false;
  }
  if (options_.crash_state != nullptr && options_.crash_state->has_refused()) {
    notices_.set("crash state", "the crash state was written by another build of Sluice: its flows are not carried on");
  }
  use_route_table(network_->route_table());
  return true;
}

bool LiveDirector::add_worker(uint16_t number, Ports ports, host::Failure& failure) {
  WorkerOptions options;
  options.name = "worker " + std::to_string(number);
  options.cpu = options_.cpus[number];
  DirectorWorkOptions work;
  work.director = options_.director;
  work.director.host_replies = expected_replies_.emplace_back(std::make_unique<ExpectedReplies>()).get();
  work.director.share = {number, static_cast<uint16_t>(options_.cpus.size())};
  work.director.flow_limit = work.director.share.of(options_.director.flow_limit);
  work.director.fragment_limit = work.director.share.of(options_.director.fragment_limit);
  work.director.start = monotonic_nanoseconds();
  work.director.memory.own = &memory::process_memory();
  if (options_.crash_state != nullptr) {
    WorkerFiles& files = files_.emplace_back();
    if (!files.make(*options_.crash_state, number, failure)) return false;
    work.director.memory = files.of_director();
    work.recorder = files.recorder();
  }
  work.director.resolve = [this](director::PortId port, const wire::Address& next_hop) { ask(port, next_hop); };
  if (!options_.service_rows.empty()) {
    work.service_rows =
        options_.service_rows.subspan(number * service_layout::area_stride, service_layout::area_stride);
  }
  auto block = page_.claim(options.name);
  if (!std::holds_alternative<CounterBlock>(block)) {
    return host::fail(failure, "the statistics page has no room for " + options.name);
  }
  workers_.push_back(
      std::make_unique<DirectorWorker>(options, work, std::move(ports), std::move(std::get<CounterBlock>(block))));
  return workers_.back()->is_ready() || host::fail(failure, too_many_files);
}

// A port for each worker. Interface 0: ports that stand in for it.
bool LiveDirector::open_for_all(director::PortId number, uint32_t interface, Ports& ports, host::Failure& failure) {
  ports.clear();
  fanouts_[number].group.reset();
  notices_.clear(condition("ring", number));
  for (size_t worker = 0; worker < options_.cpus.size(); worker++) {
    ports.push_back(interface == 0 ? std::make_unique<AbsentPort>() : open_port(number, failure));
    if (!ports.back()) return false;
  }
  return true;
}

std::unique_ptr<port::Port> LiveDirector::open_port(director::PortId number, host::Failure& failure) {
  kinds_[number] = PortKind::packet;
  auto ring = open_ring(number, failure);
  if (!ring || number >= options_.xdp.size() || !options_.xdp[number]) return ring;
  host::Failure refused;
  auto xdp = open_xdp(number, refused);
  if (!xdp) {
    notices_.set(condition("AF_XDP", number),
                 "port " + options_.interfaces[number] +
                     " is a packet ring, which carries the same, and not AF_XDP: " + refused.message);
    return ring;
  }
  if (!xdp->set_beside(std::move(ring))) {
    failure = failure_of(xdp->error());
    return nullptr;
  }
  notices_.clear(condition("AF_XDP", number));
  kinds_[number] = xdp->is_zero_copy() ? PortKind::xdp_zero_copy : PortKind::xdp_copy;
  return xdp;
}

// The sockets of a queue belong to one worker, and the device chooses the queue: it does not bring both directions of a
// flow to the same one.
std::unique_ptr<port::XdpPort> LiveDirector::open_xdp(director::PortId number, host::Failure& failure) {
  const std::string& interface = options_.interfaces[number];
  if (options_.cpus.size() > 1) {
    host::fail(failure, "a queue of the device serves one worker, and there are " +
                            std::to_string(options_.cpus.size()) + "; run with --workers 1 for it");
    return nullptr;
  }
  auto xdp = std::make_unique<port::XdpPort>();
  const bool is_tagged = number < options_.vlans.size() && options_.vlans[number] != 0;
  if (!xdp->open({.interface = interface, .port = number, .is_tagged = is_tagged})) {
    failure = failure_of(xdp->error());
    return nullptr;
  }
  const std::vector<int> sockets = xdp->sockets();
  const host::Diversion::Lane lane = {.interface = network_->interface(number),
                                      .port = number,
                                      .mac = network_->route_table()->ports()[number].mac,
                                      .longest_frame = xdp->longest_received(),
                                      .sockets = sockets};
  if (!steal_->divert(lane, failure)) return nullptr;
  return xdp;
}

std::unique_ptr<port::Port> LiveDirector::open_ring(director::PortId number, host::Failure& failure) {
  port::PacketRingOptions options;
  options.interface = options_.interfaces[number];
  options.port = number;
  if (options_.cpus.size() > 1) options.fanout = &fanouts_[number];
  auto ring = std::make_unique<port::PacketRing>();
  if (!ring->open(options)) {
    failure = failure_of(ring->error());
    return nullptr;
  }
  for (const std::string& warning : ring->warnings()) {
    notices_.set(condition("ring", number), "port " + options_.interfaces[number] + ": " + warning);
  }
  const int filter = steal_->socket_filter();
  if (filter >= 0 && setsockopt(ring->fd(), SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof filter) != 0) {
    host::fail(failure, "cannot filter what comes on " + options.interface, errno);
    return nullptr;
  }
  return ring;
}

director::Restored LiveDirector::restore() {
  director::Restored all;
  for (uint16_t number = 0; options_.crash_state != nullptr && number < workers_.size(); number++) {
    DirectorWorker::Visit visit(*workers_[number]);
    const director::Restored one = restore_from(*options_.crash_state, number, visit.director(), visit.now());
    all.flows += one.flows;
    all.over += one.over;
    all.lost += one.lost;
  }
  return all;
}

bool LiveDirector::is_successor() const {
  return options_.crash_state != nullptr && options_.crash_state->has_taken();
}

void LiveDirector::start() {
  for (size_t number = 0; number < workers_.size(); number++) {
    if (workers_[number]->start()) continue;
    const std::string worker = "worker " + std::to_string(number);
    const std::lock_guard lock(host_);
    notices_.set(worker,
                 worker + " is not pinned: this process may not use CPU " + std::to_string(options_.cpus[number]));
  }
  follower_ = std::thread([this] { follow(); });
  pthread_setname_np(follower_.native_handle(), "host network");
}

void LiveDirector::close() {
  end_forwarding();
  if (steal_) steal_->give_back();
  steal_.reset();
  if (options_.crash_state != nullptr) options_.crash_state->withdraw();
  workers_.clear();
  network_.reset();
}

void LiveDirector::discard() {
  end_forwarding();
  if (steal_ && is_successor()) {
    steal_->leave_behind();
  } else if (steal_) {
    steal_->give_back();
  }
  steal_.reset();
  tunnel_egress_ = {};
  if (options_.crash_state != nullptr) options_.crash_state->drop_given();
  workers_.clear();
  host_device_.reset();
  files_.clear();
  network_.reset();
}

void LiveDirector::end_forwarding() {
  if (follower_.joinable()) {
    stopping_.store(true);
    eventfd_write(alarm_, 1);
    follower_.join();
  }
  // The workers stop first: no packet that the host gets back may also be forwarded.
  for (const auto& worker : workers_) worker->stop();
}

// Keeps the links of all current interfaces, in place of the links kept before.
bool LiveDirector::keep_links(host::Failure& failure) {
  if (options_.crash_state == nullptr || options_.crash_state->give_all(CrashItem::link, 0, steal_->links()))
    return true;
  return host::fail(failure, "cannot keep the links of BPF programs for a process after this one", errno);
}

void LiveDirector::ask(director::PortId port, const wire::Address& next_hop) {
  if (is_copy_) return;
  {
    const std::lock_guard lock(asking_);
    if (questions_.size() == most_questions) return;
    questions_.push_back({port, next_hop});
  }
  eventfd_write(alarm_, 1);
}

void LiveDirector::note_stuck(director::PortId port) {
  stuck_ports_.fetch_or(uint64_t{1} << port);
  eventfd_write(alarm_, 1);
}

void LiveDirector::answer_questions() {
  std::vector<Question> questions;
  {
    const std::lock_guard lock(asking_);
    questions.swap(questions_);
  }
  for (const Question& question : questions) {
    network_->resolve(question.port, question.next_hop, monotonic_nanoseconds());
  }
}

void LiveDirector::follow() {
  while (!stopping_.load()) {
    const Time now = monotonic_nanoseconds();
    const Time due = std::min(network_->due(), retry_due());
    const int timeout = due <= now ? 0 : static_cast<int>((due - now) / 1'000'000 + 1);
    std::array<pollfd, 2> wanted = {pollfd{.fd = alarm_, .events = POLLIN, .revents = 0},
                                    pollfd{.fd = network_->fd(), .events = POLLIN, .revents = 0}};
    poll(wanted.data(), wanted.size(), timeout);
    eventfd_t rung;
    eventfd_read(alarm_, &rung);
    answer_questions();
    host::Failure failure;
    // The follower retries by itself.
    network_->follow(monotonic_nanoseconds(), failure);
    if (stuck_ports_.load() != 0 || retry_due() <= monotonic_nanoseconds()) follow_interfaces();
    look_for_ended_flows(monotonic_nanoseconds());
  }
}

// When that which the host has refused is tried again.
Time LiveDirector::retry_due() {
  const std::lock_guard lock(host_);
  bool is_behind = is_ingress_behind_;
  for (director::PortId port = 0; port < opened_.size(); port++) {
    is_behind |= opened_[port] != network_->interface(port);
  }
  return is_behind ? tried_ + retry_interval : UINT64_MAX;
}

void LiveDirector::use_route_table(const std::shared_ptr<const director::RouteTable>& route_table) {
  if (workers_.empty()) return;
  // The old table is kept until the visits are over: freeing a large one takes milliseconds.
  std::shared_ptr<const director::RouteTable> before;
  {
    const std::lock_guard lock(host_);
    before = std::exchange(route_table_, route_table);
    route_table_number_++;
  }
  for (const auto& worker : workers_) {
    DirectorWorker::Visit visit(*worker);
    visit.director().set_route_table(route_table);
    visit.try_waiting_frames();
  }
  follow_interfaces();
}

// Brings the ports and what is stolen up to date with the host's interfaces and addresses.
void LiveDirector::follow_interfaces() {
  const std::lock_guard lock(host_);
  tried_ = monotonic_nanoseconds();
  const std::vector<uint32_t> attached = attached_;
  std::vector<wire::Address> addresses = network_->host_addresses();
  const bool has_other_addresses = addresses != host_addresses_;
  host_addresses_ = std::move(addresses);
  open_what_came();
  for (director::PortId port = 0; port < attached_.size(); port++) {
    if (attached_[port] != 0) steal_->readdress(attached_[port], route_table_->ports()[port].mac);
  }
  if (!is_stealing_) return;
  const std::vector<const Configuration*> configurations = in_force();
  host::Failure failure;
  if (serve_local_node(configurations, failure)) {
    notices_.clear("real server on this host");
  } else {
    notices_.set("real server on this host", failure.message);
  }
  const bool has_other_routes = addresses_by_route(configurations, routes()) != addresses_by_route_;
  if (!(has_other_addresses || has_other_routes || attached != attached_ || is_ingress_behind_)) return;
  if (!update_ingress(configurations, failure)) note_ingress_failure(failure);
}

void LiveDirector::open_what_came() {
  const uint64_t stuck = stuck_ports_.exchange(0);
  for (director::PortId port = 0; port < opened_.size(); port++) {
    up_[port] = network_->is_up(port);
    const uint32_t interface = network_->interface(port);
    const bool is_stuck = (stuck >> port & 1) != 0;
    if (interface == opened_[port] && !is_stuck) continue;
    host::Failure failure;
    if (open_again(port, interface, failure)) {
      notices_.clear(condition("port", port));
    } else {
      notices_.set(condition("port", port), failure.message);
    }
  }
}

// The ingress comes first: else the host's stack would answer packets that the ports receive, too.
//
// The new ports are open before the old ones are closed. So no frame of the interface is lost when its rings are made
// anew because one of them is stuck; some frames are seen twice.
bool LiveDirector::open_again(director::PortId number, uint32_t interface, host::Failure& failure) {
  opened_[number] = 0;
  if (attached_[number] != interface && !attach_to(number, interface, failure)) return false;
  Ports ports;
  if (!open_for_all(number, interface, ports, failure)) return false;
  for (size_t worker = 0; worker < workers_.size(); worker++) {
    ports[worker] = DirectorWorker::Visit(*workers_[worker]).replace_port(number, std::move(ports[worker]));
  }
  close_replaced(number, std::move(ports));
  opened_[number] = interface;
  return true;
}

bool LiveDirector::attach_to(director::PortId number, uint32_t interface, host::Failure& failure) {
  if (const uint32_t before = std::exchange(attached_[number], 0); before != 0) {
    steal_->remove(before);
    tunnel_egress_.remove(before);
  }
  if (interface != 0) {
    if (!steal_->add(interface, failure)) return false;
    const bool cuts_tunnelled = network_->route_table()->ports()[number].cuts_tunnelled;
    if (cuts_tunnelled && !tunnel_egress_.add(interface, failure)) {
      steal_->remove(interface);
      return false;
    }
  }
  attached_[number] = interface;
  host::Failure unkept;
  if (keep_links(unkept)) {
    notices_.clear("links");
  } else {
    notices_.set("links", unkept.message);
  }
  return true;
}

// Called outside of visits: closing a socket waits for the kernel's other CPUs.
void LiveDirector::close_replaced(director::PortId number, Ports replaced) {
  for (const auto& port : replaced) ended_[number] += port->statistics();
}

bool LiveDirector::explain(const std::vector<RehearsalFrame>& frames, Explanation& explanation,
                           host::Failure& failure) {
  std::vector<bool> is_for_host;
  std::vector<wire::MacAddress> own;
  {
    DirectorWorker::Visit visit(*workers_.front());
    const director::RouteTable& route_table = visit.director().route_table();
    for (const RehearsalFrame& frame : frames) {
      const bool is_group = (frame.bytes[0] & 1) != 0;
      is_for_host.push_back(is_group || route_table.is_for(frame.port, frame.bytes.data()));
      own.push_back(route_table.ports()[frame.port].mac);
    }
  }
  {
    const std::lock_guard lock(host_);
    for (size_t i = 0; i < frames.size(); i++) {
      const uint32_t interface = opened_[frames[i].port];
      explanation.judgements.push_back(steal_->judge(frames[i].bytes, interface, own[i], is_for_host[i]));
    }
  }
  const auto& first = explanation.judgements.front();
  if (workers_.size() > 1 && first) explanation.worker = static_cast<uint16_t>(first->worker % workers_.size());
  const auto prepare = [this] {
    is_copy_ = true;
    for (const auto& replies : expected_replies_) replies->stand_apart();
  };
  return rehearse(*workers_[explanation.worker], frames, {.prepare = prepare}, explanation.rehearsal, failure);
}

bool LiveDirector::open_taps(const TapFilter& filter) {
  if (!taps_.empty()) return false;
  for (size_t number = 0; number < workers_.size(); number++) taps_.push_back(std::make_shared<Tap>(filter));
  for (size_t number = 0; number < workers_.size(); number++) {
    DirectorWorker::Visit(*workers_[number]).set_tap(taps_[number]);
  }
  return true;
}

void LiveDirector::close_taps() {
  for (const auto& worker : workers_) DirectorWorker::Visit(*worker).set_tap(nullptr);
  taps_.clear();
}

director::NextHop LiveDirector::next_hop(const wire::Address& address) {
  DirectorWorker::Visit visit(*workers_.front());
  return visit.director().route_table().next_hop(address);
}

std::vector<std::string> LiveDirector::notices() {
  std::vector<std::string> conflicts;
  for (const auto& worker : workers_) {
    for (const director::AddressConflict& conflict : DirectorWorker::Visit(*worker).director().conflicts()) {
      conflicts.push_back(
          "the virtual address " + wire::to_string(conflict.address) + " is in use on " +
          options_.interfaces[conflict.port] + " by another host, " + wire::to_string(conflict.mac) +
          ": take it away there, or have a real server keep it to itself (arp_ignore=1, arp_announce=2)");
    }
  }
  const std::lock_guard lock(host_);
  std::vector<std::string> all = notices_.all();
  std::move(conflicts.begin(), conflicts.end(), std::back_inserter(all));
  return all;
}

std::vector<LiveDirector::PortState> LiveDirector::ports() {
  std::vector<PortState> states(options_.interfaces.size());
  for (const auto& worker : workers_) {
    DirectorWorker::Visit visit(*worker);
    const auto statistics = visit.port_statistics();
    for (size_t i = 0; i < states.size(); i++) {
      states[i].port = visit.director().route_table().ports()[i];
      states[i].statistics += statistics[i];
    }
  }
  const std::lock_guard lock(host_);
  for (size_t i = 0; i < states.size(); i++) {
    states[i].interface = options_.interfaces[i];
    states[i].kind = kinds_[i];
    states[i].is_up = up_[i];
    states[i].statistics += ended_[i];
  }
  return states;
}

}  // namespace sluice::engine
