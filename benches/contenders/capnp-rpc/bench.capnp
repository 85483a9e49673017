@0xb1c5a7f2c1d3e4f5;

struct Small {
  id @0 :UInt64;
  name @1 :Text;
  values @2 :List(UInt32);
}

interface Bench {
  call @0 (message :Small) -> (message :Small);
  echo @1 (body :Data) -> (body :Data);
  oneWay @2 (message :Small) -> stream;
  handled @3 () -> (messages :UInt64);
}
