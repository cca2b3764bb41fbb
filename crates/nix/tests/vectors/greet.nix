# What the vectors beside this file show: a fixed output, several outputs, a patch, structured attributes. It needs no
# package set, and /bin/bash is all it runs.
let
  system = "x86_64-linux";
  builder = "/bin/bash";
  source = derivation {
    inherit system builder;
    name = "greet-3.4.tar.gz";
    args = [ "-c" "echo source > $out" ];
    urls = "https://example.org/greet-3.4.tar.gz";
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "source\n";
  };
  library = derivation {
    inherit system builder;
    name = "libgreet-1.2";
    pname = "libgreet";
    version = "1.2";
    outputs = [ "out" "dev" ];
    patches = [ (builtins.toFile "CVE-2020-0001.patch" "--- a\n+++ b\n") ];
    args = [ "-c" "echo library > $out; echo $out > $dev" ];
  };
in
derivation {
  inherit system builder source library;
  __structuredAttrs = true;
  name = "greet-3.4";
  pname = "greet";
  version = "3.4";
  outputs = [ "out" "doc" ];
  meta.nested = { deep = [ 1 true null "\"quoted\"" ]; };
  headers = library.dev;
  args = [ "-c" ". .attrs.sh; echo $library $headers > \${outputs[out]}; echo doc > \${outputs[doc]}" ];
}
