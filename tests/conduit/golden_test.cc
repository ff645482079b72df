// The golden files of this library's commands, and that they notice what they are there for.
#include "podkit/conduit/testing/golden.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "batch/batch_command.h"
#include "cancel_command.h"
#include "cheese.h"
#include "meeting.h"
#include "podkit/conduit/variant.h"
#include "stream_commands.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::conduit {

enum class Rind { kSoft, kHard, kWaxed };
template <>
struct EnumNames<Rind> {
  static constexpr std::array kNames = {std::pair{Rind::kSoft, std::string_view("soft")},
                                        std::pair{Rind::kHard, std::string_view("hard")},
                                        std::pair{Rind::kWaxed, std::string_view("waxed")}};
};

// The same names but one: what a version that removed it declares.
enum class FewerRinds { kSoft, kHard };
template <>
struct EnumNames<FewerRinds> {
  static constexpr std::array kNames = {std::pair{FewerRinds::kSoft, std::string_view("soft")},
                                        std::pair{FewerRinds::kHard, std::string_view("hard")}};
};

namespace {

using testing::CheckGolden;
using testing::GoldenCommand;
using testing::GoldenOf;
using testing::GoldenReport;

struct Round {
  static constexpr std::string_view kCase = "round";
  uint64_t grams = 0;
  static constexpr auto Fields() { return std::make_tuple(Required("grams", &Round::grams)); }
};

struct Slices {
  static constexpr std::string_view kCase = "slices";
  std::vector<Slices> halves;
  static constexpr auto Fields() { return std::make_tuple(Optional("halves", &Slices::halves)); }
};

// The first version of a command, and what later versions might make of it.
struct Order {
  static constexpr CommandInfo kInfo = {.name = "order", .effect = Effect::kWrite};
  struct Arguments {
    std::string cheese;
    std::string note = "none";
    Rind rind = Rind::kHard;
    std::variant<Round, Slices> form;
    std::map<std::string, double> prices;
    absl::Duration patience;
    static constexpr auto Fields() {
      return std::make_tuple(
          Required("cheese", &Arguments::cheese), Optional("note", &Arguments::note),
          Required("rind", &Arguments::rind), Required("form", &Arguments::form),
          Optional("prices", &Arguments::prices), Optional("patience", &Arguments::patience));
    }
  };
  struct Response {
    int64_t number = 0;
    absl::Time ready;
    static constexpr auto Fields() {
      return std::make_tuple(Required("number", &Response::number),
                             Optional("ready", &Response::ready));
    }
  };
  using Errors = ErrorList<NoSuchCheese>;
};

struct Grown : Order {
  struct Arguments : Order::Arguments {
    std::optional<int> count;
    static constexpr auto Fields() {
      return std::tuple_cat(Order::Arguments::Fields(),
                            std::make_tuple(Optional("count", &Arguments::count)));
    }
  };
  using Errors = ErrorList<NoSuchCheese, ShopClosed>;
};

struct Renamed : Order {
  struct Arguments {
    std::string product;
    static constexpr auto Fields() {
      return std::make_tuple(Required("product", &Arguments::product));
    }
  };
};

struct Stricter : Order {
  struct Arguments {
    std::string cheese;
    std::string note;
    static constexpr auto Fields() {
      return std::make_tuple(Required("cheese", &Arguments::cheese),
                             Required("note", &Arguments::note));
    }
  };
};

struct WithFewerRinds : Order {
  struct Arguments {
    FewerRinds rind = FewerRinds::kHard;
    static constexpr auto Fields() { return std::make_tuple(Required("rind", &Arguments::rind)); }
  };
};

struct Narrower : Order {
  struct Response {
    int32_t number = 0;
    static constexpr auto Fields() {
      return std::make_tuple(Required("number", &Response::number));
    }
  };
};

struct OtherError {
  static constexpr std::string_view kClass = "NoSuchCheese";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  int64_t name = 0;
  static constexpr auto Fields() { return std::make_tuple(Required("name", &OtherError::name)); }
};
struct WithOtherError : Order {
  using Errors = ErrorList<OtherError>;
};

// A directory of golden files with the first version of Order in it.
struct GoldenBed {
  podkit::testing::TempDir dir;
  GoldenBed() {
    const GoldenReport report = Check({GoldenOf<Order>()}, true);
    REQUIRE(report.problems.empty());
    REQUIRE(report.written == std::vector<std::string>{dir.path().string() + "/order.1.json"});
  }
  GoldenReport Check(const std::vector<GoldenCommand>& commands, bool write = false) const {
    return CheckGolden(
        {.directory = dir.path().string(), .how_to_write = "GOLDEN=1 it", .write = write},
        commands);
  }
  template <typename C>
  GoldenReport Check() const {
    return Check({GoldenOf<C>()});
  }
  // That a change is refused with `text`, and not written either.
  template <typename C>
  void Refuses(std::string_view text) const {
    const GoldenReport report = Check<C>();
    REQUIRE_FALSE(report.problems.empty());
    std::string all;
    for (const std::string& problem : report.problems) all += problem + "\n";
    CHECK_THAT(all, Catch::Contains(std::string(text)));
    CHECK_THAT(all, Catch::Contains("so that it does not work with its older versions: undo that"));
    CHECK(Check({GoldenOf<C>()}, true).written.empty());
  }
};

}  // namespace

// Set PODKIT_WRITE_GOLDEN=1 to have new versions written.
TEST_CASE("Released commands of the conduit work between all versions", "[conduit][golden]") {
  const GoldenReport report = CheckGolden(
      {.directory = PODKIT_GOLDEN,
       .how_to_write = "PODKIT_WRITE_GOLDEN=1 build/dev/tests/conduit/conduit_test '[golden]'",
       .write = std::getenv("PODKIT_WRITE_GOLDEN") != nullptr},
      {GoldenOf<Ping>(), GoldenOf<internal::Hello>(), GoldenOf<internal::DescribeCommands>(),
       GoldenOf<internal::Cancel>(), GoldenOf<internal::BatchCommand>(), GoldenOf<EatCheez>(),
       GoldenOf<Echo>(), GoldenOf<Rename>(), GoldenOf<PieceOf<Put>>(), GoldenOf<PieceOf<Get>>()});
  for (const std::string& problem : report.problems) FAIL_CHECK(problem);
  CHECK(report.versions >= 9);
  CHECK(report.frames > 100);
}

TEST_CASE("A command that is as it was has nothing to say", "[conduit][golden]") {
  const GoldenBed bed;
  const GoldenReport report = bed.Check<Order>();
  CHECK(report.problems.empty());
  CHECK(report.versions == 1);
  CHECK(report.frames > 10);
}

TEST_CASE("A compatible change wants a new golden version and gets it", "[conduit][golden]") {
  const GoldenBed bed;
  const GoldenReport report = bed.Check<Grown>();
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0] ==
        "'order' was changed (new ShopClosed: FAILED_PRECONDITION; new ShopClosed fields: "
        "structure; new arguments.count: optional optional; new arguments.count[0]: int32): if "
        "that is meant, run GOLDEN=1 it and commit " +
            bed.dir.path().string() + "/order.2.json");
  CHECK(bed.Check({GoldenOf<Grown>()}, true).written ==
        std::vector<std::string>{bed.dir.path().string() + "/order.2.json"});
  const GoldenReport after = bed.Check<Grown>();
  CHECK(after.problems.empty());
  CHECK(after.versions == 2);
  // Back to the old one is a change, too.
  CHECK(bed.Check<Order>().problems.size() == 1);
}

TEST_CASE("An incompatible change is refused and the field named", "[conduit][golden]") {
  const GoldenBed bed;
  bed.Refuses<Renamed>(
      "'order', version 1 caller and today's responder: the call: "
      "$.keywords.product: the responder requires it, the caller does not send it");
  bed.Refuses<Renamed>(
      "'order', today's caller and version 1 responder: the call: "
      "$.keywords.cheese: the responder requires it, the caller does not send it");
  bed.Refuses<Renamed>("today's code reads version 1 of 'order': $.keywords.product: is missing");
  bed.Refuses<Stricter>("$.keywords.note: the responder requires it, the caller may leave it out");
  bed.Refuses<WithFewerRinds>(
      "$.keywords.rind: the caller may send 'waxed', which the responder does not know");
  bed.Refuses<WithFewerRinds>(
      "today's code reads version 1 of 'order': $.keywords.rind: unknown name 'waxed'");
  bed.Refuses<Narrower>("$.value.number: the responder sends int64, the caller takes int32");
  bed.Refuses<WithOtherError>(
      "the answer: NoSuchCheese$.fields.name: the responder sends string, the caller takes int64");
  bed.Refuses<WithOtherError>("the fields of NoSuchCheese do not fit its declaration");
}

TEST_CASE("A command that is gone, a new one, and a damaged file are noticed",
          "[conduit][golden]") {
  const GoldenBed bed;
  CHECK_THAT(bed.Check({}).problems.at(0),
             Catch::StartsWith("'order' has golden files and is not declared any more"));
  const GoldenReport fresh = bed.Check({GoldenOf<Order>(), GoldenOf<Echo>()});
  REQUIRE(fresh.problems.size() == 1);
  CHECK_THAT(fresh.problems[0], Catch::StartsWith("'echo' has no golden file: if that is meant"));
  std::ofstream(bed.dir.path().string() + "/order.2.json") << "{\"schema\":7}";
  CHECK_THAT(bed.Check<Order>().problems.at(0),
             Catch::Contains("order.2.json: expected object, got integer") ||
                 Catch::Contains("order.2.json: $: expected object, got integer"));
  std::ofstream(bed.dir.path().string() + "/notes.txt") << "x";
  CHECK_THAT(bed.Check<Order>().problems.at(0) + bed.Check<Order>().problems.at(1),
             Catch::Contains("a golden file is called <command>.<number>.json"));
}

TEST_CASE("Every version is held against every other one", "[conduit][golden]") {
  const GoldenBed bed;
  // As if version 2 had been released with a field that only it requires.
  const podkit::testing::TempDir other;
  REQUIRE(CheckGolden({.directory = other.path().string(), .write = true}, {GoldenOf<Stricter>()})
              .problems.empty());
  std::filesystem::copy_file(other.path().string() + "/order.1.json",
                             bed.dir.path().string() + "/order.2.json");
  const GoldenReport report = bed.Check<Order>();
  bool found = false;
  for (const std::string& problem : report.problems) {
    found = found || problem.starts_with(
                         "'order', version 1 caller and version 2 responder: the "
                         "call: $.keywords.note");
  }
  CHECK(found);
}

}  // namespace podkit::conduit
