// What the compiler accepts as a command; the checks are the declarations themselves.
#include "podkit/conduit/command.h"

#include "cheese.h"
#include "podkit/conduit/conduit.h"
#include "tests/support/catch.h"

namespace podkit::conduit {
namespace {

struct Plain {};  // Lists no fields.

struct NoErrors {
  static constexpr CommandInfo kInfo = {.name = "no-errors"};
  using Arguments = Nothing;
  using Response = Nothing;
};

struct NoInfo {
  using Arguments = Nothing;
  using Response = Nothing;
  using Errors = ErrorList<>;
};

struct BadResponse : NoInfo {
  static constexpr CommandInfo kInfo = {.name = "bad-response"};
  using Response = Plain;
};

struct BadArguments : NoInfo {
  static constexpr CommandInfo kInfo = {.name = "bad-arguments"};
  using Arguments = std::vector<int>;  // Neither by name nor by position.
};

struct BadTarget : NoInfo {
  static constexpr CommandInfo kInfo = {.name = "bad-target"};
  using Target = int;
};

struct TwoNames {
  int a = 0;
  int b = 0;
  static constexpr auto Fields() {
    return std::make_tuple(Required("x", &TwoNames::a), Required("x", &TwoNames::b));
  }
};

struct StealsAction {
  int action = 0;
  static constexpr auto Fields() {
    return std::make_tuple(Required("action", &StealsAction::action));
  }
};

static_assert(Command<Ping>);
static_assert(Command<EatCheez>);
static_assert(Command<Echo>);
static_assert(Command<Rename>);
static_assert(!Command<Plain>);

// Arguments have names: given by position, or to another command, they do not compile.
template <typename C, typename... Given>
concept CanCall =
    requires(Conduit& conduit, const Given&... given) { conduit.Call<C>("B", given...); };
static_assert(CanCall<EatCheez, EatCheez::Arguments>);
static_assert(!CanCall<EatCheez, std::string, std::string>);
static_assert(!CanCall<EatCheez, std::string>);
static_assert(!CanCall<EatCheez, Rename::Arguments>);
static_assert(CanCall<Echo, std::tuple<Bytes>>);
static_assert(!Command<NoErrors>);
static_assert(!Command<NoInfo>);
static_assert(!Command<BadResponse>);
static_assert(!Command<BadArguments>);
static_assert(!Command<BadTarget>);

static_assert(std::is_same_v<TargetOf<EatCheez>, Nothing>);
static_assert(std::is_same_v<TargetOf<Rename>, Rename::Target>);

static_assert(NamedError<NoSuchCheese>);
static_assert(NamedError<InternalError>);
static_assert(!NamedError<Plain>);

static_assert(Encodable<std::vector<std::map<std::string, std::optional<Bytes>>>>);
static_assert(!Encodable<Plain>);
static_assert(!Encodable<const char*>);
static_assert(Encodable<uint64_t>);
static_assert(Encodable<uint32_t>);
static_assert(!Encodable<char>);  // A text of one character, or a number? Say which.
static_assert(!Encodable<char32_t>);
static_assert(!Encodable<float>);
static_assert(!Encodable<std::map<int, int>>);

static_assert(internal::IsWireName("eat-cheez_2"));
static_assert(!internal::IsWireName(""));
static_assert(!internal::IsWireName("Eat"));
static_assert(!internal::IsWireName("eat cheez"));
static_assert(internal::FieldNamesAreUnique<EatCheez::Arguments>());
static_assert(!internal::FieldNamesAreUnique<TwoNames>());
static_assert(internal::AvoidsEnvelopeMembers<Rename::Target>());
static_assert(!internal::AvoidsEnvelopeMembers<StealsAction>());

}  // namespace

TEST_CASE("An error list knows its classes", "[conduit][command]") {
  CHECK(Rename::Errors::Classes() == std::vector<std::string_view>{"NoSuchCheese", "ShopClosed"});
  CHECK(ErrorList<>::Classes().empty());
}

}  // namespace podkit::conduit
