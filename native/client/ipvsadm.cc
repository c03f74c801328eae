// SPDX-License-Identifier: Apache-2.0
// sluice-ipvsadm: ipvsadm's words, carried to a running Sluice. It may stand in the PATH as `ipvsadm`. It is native, as
// scripts call ipvsadm hundreds of times and a start of Node takes longer than the call.
#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "client/admin_socket.h"
#include "client/json.h"

namespace {

using namespace sluice::client;

constexpr std::string_view usage =
#include "client/ipvsadm_usage.inc"
    ;
constexpr std::string_view version = usage.substr(0, usage.find('\n') + 1);

constexpr int ok = 0, no_kernel = 2, refused = 255;

int print(std::string_view text, int status = ok) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0 ? status : 1;
}

int complain(std::string_view text, int status) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  return status;
}

// The person, also behind sudo(8).
std::string author() {
  const char* person = std::getenv("SUDO_USER");
  if (person != nullptr && *person != '\0') return person;
  const passwd* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(getuid());
}

std::string standard_input() {
  std::string text;
  char part[65536];
  for (size_t got; (got = std::fread(part, 1, sizeof part, stdin)) > 0;) text.append(part, got);
  return text;
}

std::string request_of(int count, char** words) {
  std::string json = "{\"args\":[";
  for (int i = 1; i < count; ++i) {
    if (i > 1) json += ',';
    append_json_string(json, words[i]);
  }
  json += "],\"author\":";
  append_json_string(json, author());
  const std::string_view first = count > 1 ? words[1] : "";
  if (first == "-R" || first == "--restore") {
    json += ",\"input\":";
    append_json_string(json, standard_input());
  }
  json += '}';
  return json;
}

// Words that need no Sluice. ipvsadm prints at the first of them, whatever follows.
bool asks(std::string_view word, char letter, std::string_view name) {
  return word == name || (word.size() >= 2 && word[0] == '-' && word[1] == letter);
}

int refusal(const Answer& answer) {
  const auto error = json_member(answer.body, "error");
  const auto quoted = error ? json_member(*error, "message") : std::nullopt;
  const auto message = quoted ? json_text(*quoted) : std::nullopt;
  return complain("ipvsadm: " + message.value_or("sluice refuses without a reason") + '\n', refused);
}

int carry_out(const std::string& socket, const std::string& request) {
  const Answer answer = ask(socket, "/ipvsadm", request);
  if (answer.status == 0) {
    return complain("Can't initialize ipvs: " + answer.body +
                        "\nIs `sluice run` running? Name its socket by the variable SLUICE_SOCKET.\n",
                    no_kernel);
  }
  if (answer.status != 200) return refusal(answer);
  const auto text_of = [&](std::string_view name) {
    const auto member = json_member(answer.body, name);
    return member ? json_text(*member) : std::nullopt;
  };
  const auto out = text_of("stdout"), err = text_of("stderr");
  const auto status = json_member(answer.body, "status");
  if (!out || !err || !status) return complain("ipvsadm: the answer has another form than expected\n", refused);
  complain(*err, ok);
  return print(*out, std::atoi(std::string(*status).c_str()));
}

}  // namespace

int main(int count, char** words) {
  const std::string_view first = count > 1 ? words[1] : "";
  if (asks(first, 'h', "--help")) return print(usage);
  if (asks(first, 'v', "--version")) return print(version);
  const char* socket = std::getenv("SLUICE_SOCKET");
  return carry_out(socket != nullptr && *socket != '\0' ? socket : "/run/sluice.sock", request_of(count, words));
}
