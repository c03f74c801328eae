// SPDX-License-Identifier: Apache-2.0
// Packets in memory of exactly their size, so that AddressSanitizer finds the first byte that is written past it; and
// the pieces of packets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "director/outgoing/outgoing.h"
#include "packet_builder.h"
#include "wire/packet.h"

namespace sluice::test {

// Bytes as hexadecimal digits: doctest shows them if two packets differ.
inline std::string digits(wire::Bytes bytes) {
  static constexpr char letters[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += letters[byte >> 4];
    text += letters[byte & 15];
  }
  return text;
}

// Text in which no two places within a packet look alike.
inline Buffer pattern(size_t length) {
  Buffer bytes(length);
  for (size_t i = 0; i < length; i++) bytes[i] = static_cast<uint8_t>(i * 7 + i / 251);
  return bytes;
}

inline wire::Family family_of(wire::Bytes packet) {
  return packet[0] >> 4 == 4 ? wire::Family::ipv4 : wire::Family::ipv6;
}

// An IP packet with `headroom` bytes in front of it and none after it.
class Placed {
 public:
  explicit Placed(const Buffer& bytes, size_t headroom = 0)
      : memory_(new uint8_t[headroom + bytes.size()]),
        packet{memory_.get() + headroom, static_cast<uint32_t>(bytes.size()), family_of(bytes)} {
    std::copy(bytes.begin(), bytes.end(), packet.data);
  }

  wire::Bytes bytes() const { return {packet.data, packet.length}; }
  // The offset of the transport header.
  uint32_t transport() const {
    wire::Packet found;
    wire::dissect_quoted(bytes(), found);
    return found.l4;
  }

 private:
  std::unique_ptr<uint8_t[]> memory_;

 public:
  director::IpPacket packet;
};

// Accepts up to `limit` pieces.
class Pieces : public director::PieceSink {
 public:
  explicit Pieces(size_t limit = SIZE_MAX) : limit_(limit) {}

  uint8_t* next_piece(uint32_t length) override {
    if (pieces_.size() == limit_) return nullptr;
    pieces_.push_back({std::unique_ptr<uint8_t[]>(new uint8_t[length]), length});
    return pieces_.back().bytes.get();
  }
  size_t size() const { return pieces_.size(); }
  wire::Bytes operator[](size_t i) const { return {pieces_[i].bytes.get(), pieces_[i].length}; }

 private:
  struct Piece {
    std::unique_ptr<uint8_t[]> bytes;
    uint32_t length;
  };
  std::vector<Piece> pieces_;
  size_t limit_;
};

}  // namespace sluice::test
