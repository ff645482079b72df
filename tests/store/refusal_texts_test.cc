// What a refusal says: what was refused, and what would do.
#include <string>

#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;

template <typename T>
std::string Refusal(const absl::StatusOr<T>& result) {
  CHECK_FALSE(result.ok());
  return std::string(result.status().message());
}

constexpr const char* kRule =
    ": give 1 to 255 bytes of UTF-8 without '/' and control characters, not beginning with '.'";

TEST_CASE("A name that is refused is told with the rule", "[store][errors]") {
  PodCluster cluster;
  const auto home = cluster.HomeOf("ann");
  const auto child = cluster.Child("ann", "calendar");
  CHECK(Refusal(home->CreateChild("a/b", {})) ==
        std::string("'a/b' is no name for a collection") + kRule);
  CHECK(Refusal(home->RenameChild("calendar", ".x")) ==
        std::string("'.x' is no name for a collection") + kRule);
  CHECK(Refusal(child->PutObject("a/b", {Event("1")}, {})) ==
        std::string("'a/b' is no name for an object") + kRule);
  const store::ShareInfo share =
      ValueOf(cluster.HomeOf("bob")->Invite("calendar", "ann", Access::kRead, ""));
  cluster.Settle();
  CHECK(Refusal(home->Accept(share.share_uid, "x/y")) ==
        std::string("'x/y' is no name for a collection") + kRule);
  // A long one is cut, and what would spoil a line of a log is not repeated.
  const std::string cut = Refusal(home->CreateChild("\n" + std::string(300, 'x'), {}));
  CHECK(cut == "' " + std::string(59, 'x') + "...' is no name for a collection" + kRule);
}

TEST_CASE("A property that is too long is named", "[store][errors]") {
  PodCluster cluster;
  const auto home = cluster.HomeOf("ann");
  const std::string large(4097, 'x');
  const std::string rest = ": has 4097 bytes, 4096 are the limit";
  CHECK(Refusal(home->CreateChild("x", {.display_name = large})) == "display_name" + rest);
  CHECK(Refusal(home->CreateChild("x", {.color = large})) == "color" + rest);
  CHECK(Refusal(home->SetProperties("calendar", {.description = large})) == "description" + rest);
  CHECK(home->SetProperties("calendar", {.description = large.substr(1)}).ok());
  CHECK(Refusal(home->Invite("calendar", "bob", Access::kRead, large))
            .ends_with("a summary of at most 4096 bytes"));
  CHECK(home->Invite("calendar", "bob", Access::kRead, large.substr(1)).ok());
}

TEST_CASE("What is no type of component is told, where one is made and where one is sought",
          "[store][errors]") {
  PodCluster cluster;
  const auto child = cluster.Child("ann", "calendar");
  for (const char* component : {"events", "", "EVENT", "V EVENT", "V,X"}) {
    const std::string refusal =
        "component: '" + std::string(component) + "' is not a component type such as VEVENT";
    CHECK(Refusal(child->Search({.component = component})) == refusal);
    CHECK(Refusal(cluster.HomeOf("ann")->CreateChild("x", {.components = {{component}}})) ==
          refusal);
  }
  for (const char* component : {"VEVENT", "vtodo", "VPOLL", "X-THING"}) {
    CHECK(ValueOf(child->Search({.component = component})).empty());
  }
}

TEST_CASE("An object that would change its owner stays, and the owner is named",
          "[store][errors][child]") {
  PodCluster cluster({"A", "B"}, {"B"});
  const std::string pod = GENERATE(as<std::string>(), "A", "B");
  const std::string other = GENERATE(as<std::string>(), "abe", "bea");
  cluster.Share(other, "calendar", "ann", Access::kReadWrite, "work");
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const std::string work = cluster.Child(other, "calendar")->info().id;
  const std::string own = cluster.Child("ann", "calendar")->info().id;
  const auto home = cluster.HomeOn(pod, "ann", "ann");
  const auto from = ValueOf(home->ChildWith({.name = "calendar"}));
  ValueOf(from->PutObject("1.ics", {Event("1")}, {}));
  const auto moved = from->MoveObject("1.ics", work, "1.ics");
  CHECK(IsError<store::InvalidRequest>(moved));
  CHECK(Refusal(moved) ==
        "'work' belongs to '" + other + "': an object moves between collections of one owner");
  // Who sees only this collection of hers does not learn what else she sees.
  const auto bobs = cluster.Child("bob", "anns")->MoveObject("1.ics", work, "1.ics");
  CHECK(IsError<store::NoSuchCollection>(bobs));
  CHECK(Refusal(bobs) ==
        "'ann' has no collection '" + work + "': an object moves between collections of one owner");
  // The other way round: the owner's file knows nothing of the viewer's collections.
  const auto shared = cluster.Child("ann", "work");
  ValueOf(shared->PutObject("2.ics", {Event("2")}, {}));
  const auto back = shared->MoveObject("2.ics", own, "2.ics");
  CHECK(IsError<store::NoSuchCollection>(back));
  CHECK(Refusal(back) == "'" + other + "' has no collection '" + own +
                             "': an object moves between collections of one owner");
  CHECK(ValueOf(from->ListObjects()) == std::vector<std::string>{"1.ics"});
}

}  // namespace
}  // namespace podkit::testing
