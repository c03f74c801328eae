// SPDX-License-Identifier: Apache-2.0
// A TCP segment as input: its options are read, and it passes a splice in both directions while its checksum stays
// right.
#include <cstdlib>
#include <vector>

#include "director/handshake/syn_cookie.h"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  bytes.resize((size + 1) / 2 * 2);
  auto parsed = wire::MutableTcpView::parse(bytes);
  if (!parsed) return 0;
  wire::MutableTcpView tcp = *parsed;
  director::read_syn_options(tcp.options());
  const director::Splice splice{0x89abcdef, 0x01234567, 7, 3};
  tcp.fill_checksum(0);
  tcp.set_checksum(wire::updated_checksum(tcp.checksum(), director::to_client(tcp, splice)));
  tcp.set_checksum(wire::updated_checksum(tcp.checksum(), director::to_server(tcp, splice)));
  if (wire::internet_checksum(bytes) != 0) std::abort();
  return 0;
}
