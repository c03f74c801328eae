// SPDX-License-Identifier: Apache-2.0
#include "binding/live_director_object.h"

#include <cstdlib>

#include "binding/crash_state_object.h"
#include "binding/director_report.h"
#include "binding/js_values.h"
#include "director/services/text.h"

namespace sluice::binding {

namespace {

// The worker stands still while it copies connections; more of them would take too long.
constexpr int64_t most_connections = 4096;
// To end a connection takes longer than to copy one.
constexpr uint32_t ended_places = 256;

Napi::Value failure_value(Napi::Env env, const host::Failure& failure) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("problem", failure.message);
  return object;
}

const char* way_text(host::StealWay way) {
  switch (way) {
    case host::StealWay::automatic:
      break;
    case host::StealWay::tcx:
      return "tcx";
    case host::StealWay::clsact:
      return "clsact";
    case host::StealWay::nftables:
      return "nftables";
  }
  return "";
}

const char* hop_text(director::HopState state) {
  switch (state) {
    case director::HopState::reachable:
      return "reachable";
    case director::HopState::no_route:
      return "no-route";
    case director::HopState::no_neighbour:
      return "no-neighbour";
    case director::HopState::local:
      return "local";
  }
  return "";
}

bool are_words(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_biguint64_array;
}

template <class Names>
Napi::Object positions(Napi::Env env, const Names& names) {
  Napi::Object object = Napi::Object::New(env);
  for (uint32_t i = 0; i < names.size(); i++) object.Set(std::string(names[i]), Napi::Number::New(env, i));
  return object;
}

std::optional<uint32_t> number_if_given(const Napi::Object& object, const char* name) {
  return object.Get(name).IsNumber() ? std::optional(number_field(object, name)) : std::nullopt;
}

engine::TapFilter filter_of(const Napi::Object& given) {
  engine::TapFilter filter;
  if (given.Get("host").IsString()) filter.host = address_field(given, "host");
  if (const auto port = number_if_given(given, "port")) filter.port = static_cast<uint16_t>(*port);
  if (const auto protocol = number_if_given(given, "protocol")) filter.protocol = static_cast<uint8_t>(*protocol);
  if (const auto reason = number_if_given(given, "reason")) filter.reason = static_cast<director::Reason>(*reason);
  if (const auto port = number_if_given(given, "cameOn")) filter.came_on = static_cast<director::PortId>(*port);
  if (given.Get("service").IsObject()) filter.service = key_of(given.Get("service").As<Napi::Object>());
  const std::string verdict = text_field(given, "verdict");
  for (const auto one :
       {director::Verdict::forward, director::Verdict::drop, director::Verdict::pass, director::Verdict::consume}) {
    if (verdict == director::verdict_name(one)) filter.verdict = one;
  }
  return filter;
}

engine::ConnectionFilter connection_filter_of(const Napi::Object& given) {
  engine::ConnectionFilter filter;
  if (given.Get("service").IsObject()) filter.service = key_of(given.Get("service").As<Napi::Object>());
  if (given.Get("client").IsString()) filter.client = address_field(given, "client");
  if (given.Get("server").IsString()) filter.server = address_field(given, "server");
  if (const auto port = number_if_given(given, "serverPort")) filter.server_port = static_cast<uint16_t>(*port);
  if (const auto protocol = number_if_given(given, "protocol")) filter.protocol = static_cast<uint8_t>(*protocol);
  filter.state = text_field(given, "state");
  return filter;
}

Napi::Object tapped_object(Napi::Env env, const engine::TappedFrame& frame, const std::vector<uint8_t>& bytes) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, uint64_t value) { object.Set(name, static_cast<double>(value)); };
  set("packet", frame.packet);
  object.Set("time", Napi::BigInt::New(env, frame.time));
  set("port", frame.port);
  object.Set("hasLeft", Napi::Boolean::New(env, frame.has_left));
  set("left", frame.left);
  set("reason", static_cast<uint64_t>(frame.reason));
  if (frame.has_service) object.Set("service", director::to_text(frame.service));
  if (frame.has_server) {
    object.Set("server", director::to_text(frame.server, frame.server_port));
    object.Set("mode", std::string(director::mode_text(frame.forwarding)));
  }
  object.Set("bytes", Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size()));
  return object;
}

uint64_t random64() {
  return uint64_t{arc4random()} << 32 | arc4random();
}

const char* type_text(engine::PortKind kind) {
  switch (kind) {
    case engine::PortKind::packet:
      return "packet";
    case engine::PortKind::xdp_copy:
      return "xdp-copy";
    case engine::PortKind::xdp_zero_copy:
      return "xdp-zero-copy";
  }
  return "";
}

Napi::Object port_object(Napi::Env env, const engine::LiveDirector::PortState& state) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, uint64_t value) { object.Set(name, static_cast<double>(value)); };
  object.Set("name", state.interface);
  object.Set("type", type_text(state.kind));
  object.Set("up", Napi::Boolean::New(env, state.is_up));
  object.Set("mac", wire::to_string(state.port.mac));
  set("mtu", state.port.mtu);
  Napi::Array addresses = Napi::Array::New(env);
  for (const director::InterfaceAddress& own : state.port.addresses) {
    addresses.Set(addresses.Length(), wire::to_string(own.address) + "/" + std::to_string(own.prefix_length));
  }
  object.Set("addresses", addresses);
  set("received", state.statistics.received);
  set("receivedBytes", state.statistics.received_bytes);
  set("transmitted", state.statistics.transmitted);
  set("transmittedBytes", state.statistics.transmitted_bytes);
  set("kernelDrops", state.statistics.kernel_drops);
  set("unreadable", state.statistics.unreadable);
  set("sendFailures", state.statistics.send_failures);
  return object;
}

Napi::Object pool_object(Napi::Env env, const std::string& name, const director::PoolUse& use) {
  Napi::Array addresses = Napi::Array::New(env);
  for (const auto& local : use.addresses) {
    Napi::Object address = Napi::Object::New(env);
    address.Set("address", wire::to_string(local.address));
    address.Set("flows", static_cast<double>(local.flows));
    address.Set("usedPorts", Napi::Number::New(env, local.used_ports));
    address.Set("freePorts", Napi::Number::New(env, local.free_ports));
    addresses.Set(addresses.Length(), address);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", name);
  object.Set("addresses", addresses);
  object.Set("misses", static_cast<double>(use.misses));
  object.Set("fullest", Napi::Number::New(env, use.fullest));
  return object;
}

constexpr size_t longest_frame = 65535 + 14 + 4;  // the longest IP packet with its Ethernet header and a VLAN tag
constexpr size_t shortest_frame = 14;             // an Ethernet header

// The frames of the first argument. Their bytes stay in JavaScript's memory. An empty list if one of them is not a
// frame.
std::vector<engine::RehearsalFrame> frames_of(const Napi::CallbackInfo& info, size_t ports) {
  std::vector<engine::RehearsalFrame> frames;
  const Napi::Array list = info[0].IsArray() ? info[0].As<Napi::Array>() : Napi::Array::New(info.Env());
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Value element = list.Get(i);
    if (!element.IsObject()) return {};
    const Napi::Object given = element.As<Napi::Object>();
    const Napi::Value bytes = given.Get("bytes");
    if (!bytes.IsTypedArray() || bytes.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) return {};
    const auto array = bytes.As<Napi::Uint8Array>();
    const uint32_t port = number_field(given, "port");
    if (port >= ports || array.ByteLength() < shortest_frame || array.ByteLength() > longest_frame) return {};
    frames.push_back(
        {static_cast<director::PortId>(port), number_field(given, "mark"), {array.Data(), array.ByteLength()}});
  }
  return frames;
}

const char* owner_text(const std::optional<host::Steal::Judgement>& judgement) {
  if (!judgement) return "unknown";
  switch (judgement->owner) {
    case host::bpf::STEAL_NOTHING:
      return "host";
    case host::bpf::STEAL_SEEN:
      return "both";
    case host::bpf::STEAL_TAKEN:
      return "director";
  }
  return "";
}

Napi::Object decision_object(Napi::Env env, const engine::RehearsedDecision& decision) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("reason", Napi::Number::New(env, static_cast<uint32_t>(decision.reason)));
  const auto set = [&](const char* name, const std::string& party) {
    if (!party.empty()) object.Set(name, party);
  };
  set("service", decision.service);
  set("server", decision.server);
  set("mode", decision.mode);
  Napi::Array steps = Napi::Array::New(env);
  for (const std::string& step : decision.steps) steps.Set(steps.Length(), step);
  object.Set("steps", steps);
  Napi::Array out = Napi::Array::New(env);
  for (const engine::RehearsedFrame& frame : decision.sent) {
    Napi::Object sent = Napi::Object::New(env);
    sent.Set("port", Napi::Number::New(env, frame.port));
    sent.Set("frame", Napi::Buffer<uint8_t>::Copy(env, frame.bytes.data(), frame.bytes.size()));
    out.Set(out.Length(), sent);
  }
  object.Set("out", out);
  return object;
}

}  // namespace

Napi::Function LiveDirectorObject::define(Napi::Env env) {
  return DefineClass(env, "LiveDirector",
                     {InstanceMethod<&LiveDirectorObject::open>("open"),
                      InstanceMethod<&LiveDirectorObject::prepare>("prepare"),
                      InstanceMethod<&LiveDirectorObject::commit>("commit"),
                      InstanceMethod<&LiveDirectorObject::abort>("abort"),
                      InstanceMethod<&LiveDirectorObject::restore>("restore"),
                      InstanceMethod<&LiveDirectorObject::start>("start"),
                      InstanceMethod<&LiveDirectorObject::steal>("steal"),
                      InstanceMethod<&LiveDirectorObject::announce>("announce"),
                      InstanceMethod<&LiveDirectorObject::take_over>("takeOver"),
                      InstanceMethod<&LiveDirectorObject::discard>("discard"),
                      InstanceMethod<&LiveDirectorObject::connections>("connections"),
                      InstanceMethod<&LiveDirectorObject::end_connections>("endConnections"),
                      InstanceMethod<&LiveDirectorObject::occupancy>("occupancy"),
                      InstanceMethod<&LiveDirectorObject::state>("state"),
                      InstanceMethod<&LiveDirectorObject::explain>("explain"),
                      InstanceMethod<&LiveDirectorObject::next_hop>("nextHop"),
                      InstanceMethod<&LiveDirectorObject::open_taps>("openTaps"),
                      InstanceMethod<&LiveDirectorObject::take_tapped>("takeTapped"),
                      InstanceMethod<&LiveDirectorObject::close_taps>("closeTaps"),
                      InstanceMethod<&LiveDirectorObject::close>("close")});
}

LiveDirectorObject::LiveDirectorObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  const Napi::Object values =
      info.Length() > 0 && info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(env);
  const Napi::Value statistics = values.Get("statistics"), rows = values.Get("serviceRows");
  if (!are_words(statistics) || !are_words(rows) || !values.Get("interfaces").IsArray() ||
      !values.Get("cpus").IsArray()) {
    Napi::TypeError::New(env, "LiveDirector takes an object of options").ThrowAsJavaScriptException();
    return;
  }
  auto words = statistics.As<Napi::BigUint64Array>();
  page_ = engine::StatisticsPage::format({words.Data(), words.ElementLength()});
  if (!page_) {
    Napi::RangeError::New(env, "these words are too few, or a statistics page already").ThrowAsJavaScriptException();
    return;
  }
  words_ = Napi::Persistent(statistics.As<Napi::TypedArray>());
  engine::LiveDirectorOptions options;
  const auto interfaces = values.Get("interfaces").As<Napi::Array>();
  for (uint32_t i = 0; i < interfaces.Length(); i++) options.interfaces.push_back(interfaces.Get(i).ToString());
  if (const Napi::Value given = values.Get("vlans"); given.IsArray()) {
    const auto vlans = given.As<Napi::Array>();
    for (uint32_t i = 0; i < vlans.Length(); i++) {
      options.vlans.push_back(static_cast<uint16_t>(vlans.Get(i).ToNumber().Uint32Value()));
    }
  }
  if (const Napi::Value given = values.Get("xdp"); given.IsArray()) {
    const auto xdp = given.As<Napi::Array>();
    for (uint32_t i = 0; i < xdp.Length(); i++) options.xdp.push_back(xdp.Get(i).ToBoolean());
  }
  const auto cpus = values.Get("cpus").As<Napi::Array>();
  for (uint32_t i = 0; i < cpus.Length(); i++) options.cpus.push_back(cpus.Get(i).ToNumber().Int32Value());
  options.director.flow_limit = number_field(values, "flowLimit");
  options.director.fragment_limit = number_field(values, "fragmentLimit");
  options.director.seed = {random64(), random64(), random64(), random64()};
  options.director.random = arc4random;
  auto row_words = rows.As<Napi::BigUint64Array>();
  if (row_words.ElementLength() < options.cpus.size() * engine::service_layout::area_stride) {
    Napi::RangeError::New(env, "serviceRows are too few for so many workers").ThrowAsJavaScriptException();
    return;
  }
  service_words_ = Napi::Persistent(rows.As<Napi::TypedArray>());
  options.service_rows = {row_words.Data(), row_words.ElementLength()};
  for (const auto way : {host::StealWay::tcx, host::StealWay::clsact, host::StealWay::nftables}) {
    if (text_field(values, "stealing") == way_text(way)) options.stealing = way;
  }
  if (const Napi::Value given = values.Get("tunDevice"); given.IsNumber()) {
    options.tun_device = given.ToNumber().Int32Value();
  }
  if (const Napi::Value crash_state = values.Get("crashState"); crash_state.IsObject()) {
    crash_state_ = Napi::Persistent(crash_state.As<Napi::Object>());
    options.crash_state = &CrashStateObject::Unwrap(crash_state_.Value())->crash_state();
  }
  live_director_ = std::make_unique<engine::LiveDirector>(std::move(options), *page_);
}

Napi::Value LiveDirectorObject::open(const Napi::CallbackInfo& info) {
  host::Failure failure;
  return live_director_->open(failure) ? info.Env().Undefined() : failure_value(info.Env(), failure);
}

Napi::Value LiveDirectorObject::prepare(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsArray()) {
    Napi::TypeError::New(env, "prepare takes the steps of a plan").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const auto list = info[0].As<Napi::Array>();
  engine::LiveDirector::Refusal refusal;
  PlanNames names = names_;
  std::vector<engine::PlanStep> steps;
  for (uint32_t i = 0; i < list.Length() && !refusal.step; i++) {
    const Napi::Value given = list.Get(i);
    auto step = given.IsObject() ? step_of(given.As<Napi::Object>(), names) : std::nullopt;
    if (step) {
      steps.push_back(std::move(*step));
    } else {
      refusal = {i, "unknown-step", {}};
    }
  }
  if (!refusal.step && live_director_->prepare(std::move(steps), refusal)) {
    prepared_names_ = std::move(names);
    return Napi::String::New(env, "done");
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("problem", refusal.reason);
  object.Set("remedy", refusal.remedy);
  if (refusal.step) object.Set("step", static_cast<double>(*refusal.step));
  return object;
}

Napi::Value LiveDirectorObject::commit(const Napi::CallbackInfo& info) {
  live_director_->commit();
  names_ = prepared_names_;
  return info.Env().Undefined();
}

Napi::Value LiveDirectorObject::abort(const Napi::CallbackInfo& info) {
  live_director_->abort();
  prepared_names_ = names_;
  return info.Env().Undefined();
}

Napi::Value LiveDirectorObject::restore(const Napi::CallbackInfo& info) {
  const director::Restored restored = live_director_->restore();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("flows", restored.flows);
  object.Set("over", restored.over);
  object.Set("lost", restored.lost);
  return object;
}

Napi::Value LiveDirectorObject::start(const Napi::CallbackInfo& info) {
  live_director_->start();
  return info.Env().Undefined();
}

Napi::Value LiveDirectorObject::steal(const Napi::CallbackInfo& info) {
  host::Failure failure;
  return live_director_->steal(failure) ? info.Env().Undefined() : failure_value(info.Env(), failure);
}

Napi::Value LiveDirectorObject::take_over(const Napi::CallbackInfo& info) {
  host::Failure failure;
  return live_director_->take_over(failure) ? info.Env().Undefined() : failure_value(info.Env(), failure);
}

Napi::Value LiveDirectorObject::discard(const Napi::CallbackInfo& info) {
  live_director_->discard();
  return info.Env().Undefined();
}

Napi::Value LiveDirectorObject::announce(const Napi::CallbackInfo& info) {
  live_director_->announce();
  return info.Env().Undefined();
}

engine::DirectorWorker* LiveDirectorObject::worker(const Napi::CallbackInfo& info) {
  const uint32_t number =
      info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Uint32Value() : UINT32_MAX;
  if (number < live_director_->workers()) return &live_director_->worker(number);
  Napi::RangeError::New(info.Env(), "no such worker").ThrowAsJavaScriptException();
  return nullptr;
}

// The JavaScript values are made after the visit, when the worker runs again.
Napi::Value LiveDirectorObject::connections(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  engine::DirectorWorker* const asked = worker(info);
  if (asked == nullptr) return env.Undefined();
  const auto number = [&](size_t place) -> int64_t {
    return info.Length() > place && info[place].IsNumber() ? info[place].As<Napi::Number>().Int64Value() : -1;
  };
  const int64_t cursor = number(1), most = number(2);
  if (cursor < 0 || most < 1 || most > most_connections) {
    Napi::RangeError::New(env, "connections takes a worker, a cursor, how many at most and a filter")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const engine::ConnectionFilter filter =
      info[3].IsObject() ? connection_filter_of(info[3].As<Napi::Object>()) : engine::ConnectionFilter{};
  std::vector<engine::Connection> part;
  part.reserve(static_cast<size_t>(most));
  std::optional<engine::ConnectionCursor> next;
  {
    engine::DirectorWorker::Visit visit(*asked);
    next = engine::read_connections(visit.director(), visit.now(), static_cast<uint64_t>(cursor),
                                    static_cast<uint32_t>(most), part, filter);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("count", static_cast<double>(part.size()));
  if (!info[4].ToBoolean()) object.Set("rows", connection_list(env, part));
  if (next) object.Set("next", static_cast<double>(*next));
  return object;
}

Napi::Value LiveDirectorObject::end_connections(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  engine::DirectorWorker* const asked = worker(info);
  if (asked == nullptr) return env.Undefined();
  if (!info[1].IsNumber() || !info[2].IsObject()) {
    Napi::TypeError::New(env, "endConnections takes a worker, a cursor and a filter").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const auto cursor = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  const engine::ConnectionFilter filter = connection_filter_of(info[2].As<Napi::Object>());
  uint32_t ended = 0;
  std::optional<engine::ConnectionCursor> next;
  {
    engine::DirectorWorker::Visit visit(*asked);
    next = engine::end_connections(visit.director(), cursor, ended_places, ended, filter);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("count", ended);
  if (next) object.Set("next", static_cast<double>(*next));
  return object;
}

// As above: the JavaScript values are made after the visit.
Napi::Value LiveDirectorObject::occupancy(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  engine::DirectorWorker* const asked = worker(info);
  if (asked == nullptr) return env.Undefined();
  uint32_t flows4 = 0, flows6 = 0;
  std::vector<director::PoolUse> uses;
  uses.reserve(names_.pools().size());
  {
    engine::DirectorWorker::Visit visit(*asked);
    director::Director& director = visit.director();
    flows4 = director.flows<wire::Ipv4Address>().table().size();
    flows6 = director.flows<wire::Ipv6Address>().table().size();
    for (const auto& [name, id] : names_.pools()) uses.push_back(director.pools().use(id));
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("flows4", Napi::Number::New(env, flows4));
  object.Set("flows6", Napi::Number::New(env, flows6));
  Napi::Array pools = Napi::Array::New(env);
  for (const auto& [name, id] : names_.pools()) pools.Set(pools.Length(), pool_object(env, name, uses[pools.Length()]));
  object.Set("pools", pools);
  return object;
}

Napi::Value LiveDirectorObject::state(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  Napi::Array ports = Napi::Array::New(env);
  for (const auto& port : live_director_->ports()) ports.Set(ports.Length(), port_object(env, port));
  object.Set("ports", ports);
  object.Set("stealing", way_text(live_director_->stealing()));
  Napi::Array notices = Napi::Array::New(env);
  for (const std::string& notice : live_director_->notices()) notices.Set(notices.Length(), notice);
  object.Set("notices", notices);
  return object;
}

Napi::Value LiveDirectorObject::explain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto frames = frames_of(info, live_director_->port_count());
  if (frames.empty()) {
    Napi::RangeError::New(env, "explain takes frames that came on ports").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  engine::LiveDirector::Explanation explanation;
  host::Failure failure;
  if (!live_director_->explain(frames, explanation, failure)) return failure_value(env, failure);
  Napi::Object object = Napi::Object::New(env);
  object.Set("worker", Napi::Number::New(env, explanation.worker));
  object.Set("stoodStill", static_cast<double>(explanation.rehearsal.stood_still));
  Napi::Array decisions = Napi::Array::New(env);
  for (uint32_t i = 0; i < frames.size(); i++) {
    Napi::Object decision = decision_object(env, explanation.rehearsal.decisions[i]);
    decision.Set("owner", owner_text(explanation.judgements[i]));
    decisions.Set(i, decision);
  }
  object.Set("decisions", decisions);
  return object;
}

Napi::Value LiveDirectorObject::next_hop(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto address =
      info[0].IsString() ? wire::parse_address(info[0].As<Napi::String>().Utf8Value()) : std::optional<wire::Address>();
  Napi::Object object = Napi::Object::New(env);
  const director::NextHop hop = address ? live_director_->next_hop(*address) : director::NextHop{};
  object.Set("state", hop_text(hop.state));
  if (hop.state != director::HopState::reachable && hop.state != director::HopState::no_neighbour) return object;
  object.Set("port", Napi::Number::New(env, hop.port));
  object.Set("address", wire::to_string(hop.next.is_unspecified() ? *address : hop.next));
  if (hop.state == director::HopState::reachable) object.Set("mac", wire::to_string(hop.destination));
  return object;
}

Napi::Value LiveDirectorObject::open_taps(const Napi::CallbackInfo& info) {
  const Napi::Object filter = info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(info.Env());
  return Napi::Boolean::New(info.Env(), live_director_->open_taps(filter_of(filter)));
}

Napi::Value LiveDirectorObject::take_tapped(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t most = info[0].IsNumber() ? info[0].As<Napi::Number>().Uint32Value() : 0;
  Napi::Array frames = Napi::Array::New(env);
  uint64_t missed = 0;
  engine::TappedFrame frame;
  std::vector<uint8_t> bytes;
  uint32_t worker = 0;
  for (const auto& tap : live_director_->taps()) {
    for (uint32_t i = 0; i < most && tap->take(frame, bytes); i++) {
      Napi::Object object = tapped_object(env, frame, bytes);
      object.Set("worker", Napi::Number::New(env, worker));
      frames.Set(frames.Length(), object);
    }
    missed += tap->missed();
    worker++;
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("frames", frames);
  result.Set("missed", static_cast<double>(missed));
  return result;
}

Napi::Value LiveDirectorObject::close_taps(const Napi::CallbackInfo& info) {
  live_director_->close_taps();
  return info.Env().Undefined();
}

Napi::Value LiveDirectorObject::close(const Napi::CallbackInfo& info) {
  live_director_->close();
  return info.Env().Undefined();
}

Napi::Object service_rows_layout(Napi::Env env) {
  namespace layout = engine::service_layout;
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, size_t value) { object.Set(name, static_cast<double>(value)); };
  set("areaStride", layout::area_stride);
  set("firstRow", layout::first_row);
  set("rowStride", layout::row_stride);
  set("rowCount", layout::row_count);
  set("nameWords", layout::name_words);
  set("firstCount", layout::first_count);
  object.Set("area", positions(env, engine::area_words));
  object.Set("counts", positions(env, engine::row_counts));
  return object;
}

Napi::Value clean_host(const Napi::CallbackInfo& info) {
  host::Failure failure;
  return host::Steal::remove_left_overs(failure) ? info.Env().Undefined() : failure_value(info.Env(), failure);
}

Napi::Value prepare_stealing(const Napi::CallbackInfo& info) {
  const Napi::Object options = info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(info.Env());
  if (text_field(options, "stealing") != "nftables") host::StealPrograms::prepare(number_field(options, "workers") > 1);
  return info.Env().Undefined();
}

}  // namespace sluice::binding
