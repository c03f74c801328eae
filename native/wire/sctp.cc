// SPDX-License-Identifier: Apache-2.0
#include "wire/sctp.h"

#include "wire/text.h"

namespace sluice::wire {

namespace {

constexpr std::array<NumberName, 15> chunk_names = {{
    {sctp_chunk::data, "DATA"},
    {sctp_chunk::init, "INIT"},
    {sctp_chunk::init_ack, "INIT ACK"},
    {sctp_chunk::sack, "SACK"},
    {sctp_chunk::heartbeat, "HB REQ"},
    {sctp_chunk::heartbeat_ack, "HB ACK"},
    {sctp_chunk::abort, "ABORT"},
    {sctp_chunk::shutdown, "SHUTDOWN"},
    {sctp_chunk::shutdown_ack, "SHUTDOWN ACK"},
    {sctp_chunk::error, "OP ERR"},
    {sctp_chunk::cookie_echo, "COOKIE ECHO"},
    {sctp_chunk::cookie_ack, "COOKIE ACK"},
    {sctp_chunk::ecne, "ECN ECHO"},
    {sctp_chunk::cwr, "ECN CWR"},
    {sctp_chunk::shutdown_complete, "SHUTDOWN COMPLETE"},
}};

constexpr uint8_t data_unordered = 0x04;
constexpr uint8_t data_beginning = 0x02;
constexpr uint8_t data_ending = 0x01;

void print_data(std::string& out, const SctpChunk& chunk) {
  constexpr size_t header_length = 12;
  if (chunk.value.size() < header_length) return;
  const uint8_t* at = chunk.value.data();
  if ((chunk.flags & data_unordered) != 0) out += "(U)";
  if ((chunk.flags & data_beginning) != 0) out += "(B)";
  if ((chunk.flags & data_ending) != 0) out += "(E)";
  append(out, " [TSN: %u] [SID: %u] [SSEQ %u] [PPID 0x%x] ", load_be32(at), load_be16(at + 4), load_be16(at + 6),
         load_be32(at + 8));
}

void print_init(std::string& out, Bytes value) {
  constexpr size_t header_length = 16;
  if (value.size() < header_length) return;
  const uint8_t* at = value.data();
  append(out, "[init tag: %u] [rwnd: %u] [OS: %u] [MIS: %u] [init TSN: %u] ", load_be32(at), load_be32(at + 4),
         load_be16(at + 8), load_be16(at + 10), load_be32(at + 12));
}

void print_sack(std::string& out, Bytes value) {
  constexpr size_t header_length = 12;
  if (value.size() < header_length) return;
  const uint8_t* at = value.data();
  append(out, "[cum ack %u] [a_rwnd %u] [#gap acks %u] [#dup tsns %u] ", load_be32(at), load_be32(at + 4),
         load_be16(at + 8), load_be16(at + 10));
}

void print_chunk(std::string& out, const SctpChunk& chunk) {
  if (const char* known = find_name(chunk_names, chunk.type)) {
    append(out, "[%s] ", known);
  } else {
    append(out, "[Unknown chunk type: 0x%x]", chunk.type);
  }
  if (chunk.type == sctp_chunk::data) print_data(out, chunk);
  if (chunk.type == sctp_chunk::init || chunk.type == sctp_chunk::init_ack) print_init(out, chunk.value);
  if (chunk.type == sctp_chunk::sack) print_sack(out, chunk.value);
}

}  // namespace

bool SctpChunkWalk::next(SctpChunk& chunk) {
  if (rest_.empty()) return false;
  const size_t length = rest_.size() < SctpChunk::header_length ? 0 : load_be16(rest_.data() + 2);
  if (length < SctpChunk::header_length || length > rest_.size()) {
    reason_ = rest_.size() < SctpChunk::header_length ? Malformed::truncated : Malformed::length_lies;
    rest_ = {};
    return false;
  }
  chunk.type = rest_[0];
  chunk.flags = rest_[1];
  chunk.value = rest_.subspan(SctpChunk::header_length, length - SctpChunk::header_length);
  const size_t padded = (length + 3) & ~size_t{3};
  rest_ = padded < rest_.size() ? rest_.subspan(padded) : Bytes();
  return true;
}

void emit(const SctpFields& fields, uint8_t* to) {
  store_be16(to, fields.source_port);
  store_be16(to + 2, fields.destination_port);
  store_be32(to + 4, fields.verification_tag);
  store_be32(to + 8, 0);
}

void print(std::string& out, SctpView sctp) {
  SctpChunkWalk walk(sctp.chunks());
  SctpChunk chunk;
  out += "sctp";
  for (int number = 1; walk.next(chunk); number++) {
    append(out, "%s (%d) ", number > 1 ? "," : "", number);
    print_chunk(out, chunk);
  }
  if (walk.reason() != Malformed::ok) append(out, " [%s]", std::string(name(walk.reason())).c_str());
}

}  // namespace sluice::wire
