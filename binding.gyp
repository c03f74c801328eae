{
  "targets": [
    {
      "target_name": "sluice",
      "sources": ["<!@(node -p \"require('fs').readFileSync('native/sources.txt','utf8').split(/\\s+/).filter(f=>f.endsWith('.cc')).map(f=>'native/'+f).join(' ')\")"],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags!": ["-fno-omit-frame-pointer"],
      "cflags_cc": ["-std=c++20", "-fvisibility=hidden", "-Wall", "-Wextra -Wno-missing-field-initializers", "-O2"],
      "cflags_cc!": ["-fno-rtti", "-O3"]
    },
    {
      "target_name": "sluice-ipvsadm",
      "type": "executable",
      "sources": ["native/client/admin_socket.cc", "native/client/ipvsadm.cc", "native/client/json.cc"],
      "include_dirs": ["native"],
      "cflags_cc": ["-std=c++20", "-fvisibility=hidden", "-Wall", "-Wextra"],
      "ldflags": ["-static-libstdc++", "-static-libgcc"],
      "ldflags!": ["-rdynamic"]
    }
  ]
}
