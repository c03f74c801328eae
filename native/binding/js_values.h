// SPDX-License-Identifier: Apache-2.0
// Fields of plain JavaScript objects as C++ values. The TypeScript side has checked the objects; a field that is
// missing or of another type reads as zero or empty.
#pragma once

#include <napi.h>

#include <string>

#include "wire/address.h"

namespace sluice::binding {

inline uint32_t number_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : 0;
}

inline bool flag_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsBoolean() ? value.As<Napi::Boolean>().Value() : number_field(object, name) != 0;
}

inline std::string text_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

inline Napi::Object object_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsObject() ? value.As<Napi::Object>() : Napi::Object::New(object.Env());
}

// The unspecified address if the text is not an address.
inline wire::Address address_field(const Napi::Object& object, const char* name) {
  return wire::parse_address(text_field(object, name)).value_or(wire::Address{});
}

template <class Visit>
void for_each_element(const Napi::Object& object, const char* name, Visit visit) {
  const Napi::Value value = object.Get(name);
  if (!value.IsArray()) return;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value element = array.Get(i);
    if (element.IsObject()) visit(element.As<Napi::Object>());
  }
}

}  // namespace sluice::binding
