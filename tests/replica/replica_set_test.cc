#include "podkit/replica/replica_set.h"

#include <deque>
#include <thread>

#include "absl/time/clock.h"
#include "tests/replica/gateway_front.h"

namespace podkit::replica {
namespace {

// Three gateways, and chunks for them.
struct SetBed {
  SigningKey writer_key = SigningKey::Generate();
  std::deque<GatewayFront> fronts;
  ReplicaSetOptions options;
  std::unique_ptr<ReplicaSet> set;

  SetBed() {
    for (const char* id : {"g1", "g2", "g3"}) fronts.emplace_back(id, writer_key);
    options.hedge_after = absl::InfiniteDuration();
    options.put_aside_for = absl::Hours(1);
    Open();
  }
  // As a process that starts.
  void Open(size_t max_request_chunks = 1024) {
    set.reset();
    options.gateways.clear();
    for (const GatewayFront& front : fronts) {
      options.gateways.push_back(front.Client(max_request_chunks));
    }
    set = testing::ValueOf(ReplicaSet::Create(options));
  }

  static ChunkName Name(uint64_t id) { return {.volume = "v", .file = "f", .id = id}; }
  static absl::Time Soon() { return absl::Now() + absl::Seconds(40); }

  SetResult Put(uint64_t id, std::string_view bytes, const SetPutOptions& how = {}) const {
    return set->Put({{.name = Name(id), .bytes = bytes, .length = bytes.size()}}, how, Soon());
  }
  // The bytes, or why not.
  std::string Get(uint64_t id, std::string_view bytes) const {
    const auto got = set->Get(Name(id), HashOf(bytes), Soon());
    return got.ok() ? *got : got.status().ToString();
  }
  std::string Kept(size_t front, uint64_t id) { return fronts[front].driver().Kept(Name(id)); }
  // Makes all three have it.
  void PutEverywhere(uint64_t id, std::string_view bytes) {
    REQUIRE(Put(id, bytes).status == absl::OkStatus());
    REQUIRE(set->Settle(Soon()));
    for (size_t i = 0; i < fronts.size(); ++i) REQUIRE(Kept(i, id) == bytes);
  }
};

std::string OutcomesOf(const GatewayResult& result) {
  std::string words;
  for (const ChunkResult& one : result.batch.results) {
    words.append(words.empty() ? "" : " ").append(NameOf(one.outcome));
  }
  return words;
}

}  // namespace

TEST_CASE("A write is done when the quorum has it, and a late gateway still gets it",
          "[replica][set]") {
  SetBed bed;
  bed.fronts[1].Hold(1);
  const SetResult put = bed.Put(1, "abc");
  CHECK(put.status == absl::OkStatus());
  CHECK(put.copies == std::vector<size_t>{2});
  CHECK(put.gateways[1].gateway == "g2");
  CHECK(put.gateways[1].late);
  CHECK_FALSE(put.gateways[2].late);
  CHECK(OutcomesOf(put.gateways[2]) == "stored");
  CHECK(bed.Kept(1, 1).empty());
  CHECK_FALSE(bed.set->Settle(absl::Now()));
  bed.fronts[1].Hold(0);
  CHECK(bed.set->Settle(SetBed::Soon()));
  CHECK(bed.Kept(1, 1) == "abc");
}

TEST_CASE("A write that reaches no quorum says which gateways are why", "[replica][set]") {
  SetBed bed;
  bed.fronts[0].Stop();
  bed.fronts[2].Stop();
  const SetResult put = bed.Put(1, "abc");
  CHECK(ErrorOf(put.status) == ClientError::kUnreachable);
  CHECK_THAT(put.status.ToString(),
             Catch::Contains("2 of 3 gateways must keep chunk /DATA/v/.f.0/1.0") &&
                 Catch::Contains("gateway 'g1'") && !Catch::Contains("gateway 'g2'") &&
                 Catch::Contains("gateway 'g3'"));
  bed.fronts[0].Start();
  bed.fronts[2].Start();
  const SetResult again = bed.Put(1, "abc", {.resume = true});
  CHECK(again.status == absl::OkStatus());
  CHECK(bed.set->Settle(SetBed::Soon()));
  for (auto& front : bed.fronts) CHECK(front.driver().writes() == 1);
}

TEST_CASE("A write fails as soon as no quorum can be reached", "[replica][set]") {
  SetBed bed;
  bed.fronts[0].Hold(1);
  bed.fronts[1].Stop();
  bed.fronts[2].Stop();
  const absl::Time began = absl::Now();
  const SetResult put = bed.Put(1, "abc");
  CHECK(absl::IsUnavailable(put.status));
  CHECK(put.gateways[0].late);
  CHECK(absl::Now() - began < absl::Seconds(30));  // It did not wait for its deadline.
  bed.set.reset();  // Nor does its end wait for the gateway that hangs.
}

TEST_CASE("Every chunk of a write needs the quorum", "[replica][set]") {
  SetBed bed;
  bed.PutEverywhere(2, "other");
  const SetResult put = bed.set->Put(
      {{.name = SetBed::Name(1), .bytes = "abc"}, {.name = SetBed::Name(2), .bytes = "d"}}, {},
      SetBed::Soon());
  CHECK(ErrorOf(put.status) == ClientError::kConflict);
  CHECK_THAT(put.status.ToString(), Catch::Contains("must keep chunk /DATA/v/.f.0/2.0"));
  CHECK(put.copies[1] == 0);
  CHECK(bed.set->Settle(SetBed::Soon()));
  const SetResult resumed = bed.set->Put(
      {{.name = SetBed::Name(1), .bytes = "abc"}, {.name = SetBed::Name(2), .bytes = "d"}},
      {.resume = true}, SetBed::Soon());
  CHECK(ErrorOf(resumed.status) == ClientError::kConflict);
  CHECK(resumed.copies[0] >= 2);
  for (const GatewayResult& one : resumed.gateways) {
    if (!one.late) CHECK(OutcomesOf(one) == "present conflict");
  }
}

TEST_CASE("What a crash left undone is sent, and nothing else", "[replica][set][fault]") {
  SetBed bed;
  std::vector<std::string> bytes;
  std::vector<ChunkToPut> chunks;
  for (uint64_t id = 0; id < 8; ++id) bytes.push_back("chunk " + std::to_string(id));
  for (uint64_t id = 0; id < 8; ++id) {
    chunks.push_back({.name = SetBed::Name(id), .bytes = bytes[id]});
  }
  bed.Open(/*max_request_chunks=*/1);
  for (size_t i = 0; i < 3; ++i) bed.fronts[i].DieAfter(static_cast<int>(i) + 2);
  const SetResult broken = bed.set->Put(chunks, {}, SetBed::Soon());
  CHECK(ErrorOf(broken.status) == ClientError::kNoAnswer);
  CHECK(bed.set->Settle(SetBed::Soon()));
  for (size_t i = 0; i < 3; ++i) CHECK(bed.fronts[i].driver().writes() == static_cast<int>(i) + 2);
  bed.Open(/*max_request_chunks=*/1);
  // One question for each chunk, and one request for each that is missing.
  for (size_t i = 0; i < 3; ++i) bed.fronts[i].DieAfter(8 + 6 - static_cast<int>(i));
  const SetResult put = bed.set->Put(chunks, {.resume = true}, SetBed::Soon());
  CHECK(put.status == absl::OkStatus());
  CHECK(bed.set->Settle(SetBed::Soon()));
  for (auto& front : bed.fronts) {
    CHECK(front.driver().writes() == 8);
    for (uint64_t id = 0; id < 8; ++id) CHECK(front.driver().Kept(SetBed::Name(id)) == bytes[id]);
  }
}

TEST_CASE("A read passes over wrong bytes and dead gateways, and remembers", "[replica][set]") {
  SetBed bed;
  bed.PutEverywhere(1, "abc");
  bed.PutEverywhere(2, "def");
  bed.fronts[0].SetWrong(true);
  bed.fronts[1].Stop();
  CHECK(bed.Get(1, "abc") == "abc");
  CHECK(bed.Get(2, "def") == "def");
  CHECK(bed.set->Settle(SetBed::Soon()));
  const auto health = bed.set->Health();
  CHECK(health[0].wrong == 1);
  CHECK(health[0].put_aside);
  CHECK(health[0].not_mended == 1);  // It says that it has the chunk.
  CHECK(health[1].failed == 1);
  CHECK(health[2].reads == 2);
  CHECK_FALSE(health[2].put_aside);
  bed.fronts[2].Stop();
  const auto none = bed.set->Get(SetBed::Name(1), HashOf("abc"), SetBed::Soon());
  CHECK_THAT(none.status().ToString(), Catch::Contains("gateway 'g1': chunk") &&
                                           Catch::Contains("gateway 'g2'") &&
                                           Catch::Contains("gateway 'g3'"));
  CHECK(absl::IsUnavailable(none.status()));
}

TEST_CASE("A slow gateway is not waited for, and is let go", "[replica][set]") {
  SetBed bed;
  bed.PutEverywhere(1, "abc");
  bed.options.hedge_after = absl::Milliseconds(10);
  bed.Open();
  bed.fronts[0].Hold(1);
  CHECK(bed.Get(1, "abc") == "abc");
  CHECK(bed.set->Settle(SetBed::Soon()));  // The request that hangs has been cancelled.
  CHECK(bed.fronts[0].gets() <= 1);
  CHECK(bed.set->Health()[0].reads == 1);
}

TEST_CASE("A read without an answer ends at its deadline", "[replica][set]") {
  SetBed bed;
  bed.options.hedge_after = absl::ZeroDuration();
  bed.Open();
  for (auto& front : bed.fronts) front.Hold(1);
  // Long enough for each to take the request, busy as the machine may be.
  const auto got = bed.set->Get(SetBed::Name(1), HashOf("abc"), absl::Now() + absl::Seconds(1));
  INFO(got.status());
  CHECK(ErrorOf(got.status()) == ClientError::kNoAnswer);
}

TEST_CASE("A read mends the gateways that lost or damaged the chunk", "[replica][set][fault]") {
  SetBed bed;
  bed.PutEverywhere(1, "abc");
  bed.fronts[0].driver().Set(SetBed::Name(1), "abd");
  bed.fronts[1].driver().Set(SetBed::Name(1), std::nullopt);
  CHECK(bed.Get(1, "abc") == "abc");
  CHECK(bed.set->Settle(SetBed::Soon()));
  for (size_t i = 0; i < 2; ++i) {
    CHECK(bed.Kept(i, 1) == "abc");
    CHECK(bed.fronts[i].gateway().counters().mended == 1);
    CHECK(bed.set->Health()[i].mended == 1);
  }
  CHECK(bed.Get(9, "nobody has it").find("NOT_FOUND") == 0);
}

TEST_CASE("Repair sends each gateway what it lacks", "[replica][set]") {
  SetBed bed;
  bed.fronts[2].Stop();
  CHECK(bed.Put(1, "abc").status == absl::OkStatus());
  CHECK(bed.Put(2, "def").status == absl::OkStatus());
  bed.fronts[2].Start();
  const std::vector<ChunkRef> refs = {{SetBed::Name(1), HashOf("abc")},
                                      {SetBed::Name(2), HashOf("def")}};
  const SetResult lacking = bed.set->Lacking(refs, SetBed::Soon());
  CHECK(lacking.status == absl::OkStatus());
  CHECK(lacking.copies == std::vector<size_t>{2, 2});
  CHECK(OutcomesOf(lacking.gateways[2]) == "absent absent");
  bed.fronts[0].SetWrong(true);  // It is read from elsewhere then.
  const SetResult repaired = bed.set->Repair(refs, SetBed::Soon());
  CHECK(repaired.status == absl::OkStatus());
  CHECK(repaired.copies == std::vector<size_t>{3, 3});
  CHECK(OutcomesOf(repaired.gateways[2]) == "stored stored");
  CHECK(bed.Kept(2, 2) == "def");
  CHECK(absl::IsInvalidArgument(
      bed.set->Repair({{SetBed::Name(1), std::nullopt}}, SetBed::Soon()).status));
  CHECK(ErrorOf(bed.set->Repair({{SetBed::Name(9), HashOf("x")}}, SetBed::Soon()).status) ==
        ClientError::kNoSuchChunk);
}

TEST_CASE("A delete is done when all did it, and no late write undoes it", "[replica][set]") {
  SetBed bed;
  bed.fronts[2].Hold(1);
  CHECK(bed.Put(1, "abc").status == absl::OkStatus());
  bed.fronts[2].AwaitHeld(1);
  const SetResult early =
      bed.set->Delete({{SetBed::Name(1), HashOf("abc")}}, absl::Now() + absl::Seconds(1));
  CHECK(ErrorOf(early.status) == ClientError::kNoAnswer);
  SetResult deleted;
  std::thread deleting([&] {
    deleted = bed.set->Delete({{SetBed::Name(1), HashOf("abc")}}, SetBed::Soon());
  });
  while (!bed.Kept(0, 1).empty() || !bed.Kept(1, 1).empty()) std::this_thread::yield();
  bed.fronts[2].Hold(0);
  deleting.join();
  CHECK(deleted.status == absl::OkStatus());
  CHECK(bed.set->Settle(SetBed::Soon()));
  CHECK(bed.fronts[2].driver().writes() == 1);
  CHECK(bed.Kept(2, 1).empty());
  bed.fronts[1].Stop();
  const SetResult half = bed.set->Delete({{SetBed::Name(1), std::nullopt}}, SetBed::Soon());
  CHECK(ErrorOf(half.status) == ClientError::kUnreachable);
  CHECK(half.copies == std::vector<size_t>{2});
}

TEST_CASE("Late writes beyond the room for them are cancelled", "[replica][set]") {
  SetBed bed;
  bed.options.background_bytes = 2;
  bed.Open();
  bed.fronts[0].Hold(1);
  CHECK(bed.Put(1, "abc").status == absl::OkStatus());
  CHECK(bed.set->Settle(SetBed::Soon()));  // Though the gateway still hangs.
}

TEST_CASE("A set that cannot work is refused by name", "[replica][set]") {
  SetBed bed;
  const auto refusal = [](const ReplicaSetOptions& options) {
    return ReplicaSet::Create(options).status().ToString();
  };
  ReplicaSetOptions twice = bed.options;
  twice.gateways[1] = twice.gateways[0];
  CHECK_THAT(refusal(twice), Catch::Contains("'g1' is there twice"));
  ReplicaSetOptions many = bed.options;
  many.write_quorum = 4;
  CHECK_THAT(refusal(many), Catch::Contains("write_quorum"));
  CHECK_THAT(refusal({}), Catch::Contains("gateways"));
}

}  // namespace podkit::replica
