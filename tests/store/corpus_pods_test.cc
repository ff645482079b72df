// Real calendars on their way between pods.
#include <map>
#include <string>
#include <vector>

#include "calendar/personal_text.h"
#include "corpus.h"
#include "pod_cluster.h"
#include "podkit/store/calendar_data.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::Bytes;

TEST_CASE("Every real calendar goes to another pod and comes back byte for byte",
          "[store][import][corpus][sharing]") {
  PodCluster cluster({"A", "B"}, {"B"});
  // ann's home through the pod where she does not live; bob views her calendars from there.
  const auto home = cluster.HomeOn("B", "ann", "ann");
  size_t objects = 0;
  size_t as_they_are = 0;
  for (const auto& [name, file] : ReadCorpus("valid")) {
    INFO(name);
    ValueOf(home->CreateChild(name, {}));
    cluster.Share("ann", name, "bob", Access::kRead, name);
    const auto child = ValueOf(home->ChildWith({.name = name}));
    const auto report = ValueOf(child->Import(Bytes{file}));
    const auto calendar = ValueOf(store::SplitCalendar(file));
    REQUIRE(report.items.size() == calendar.objects.size());
    std::vector<std::string> names;
    for (const auto& item : report.items) names.push_back(item.name);
    const auto there = ValueOf(child->Texts(names));
    const auto seen = ValueOf(cluster.Child("bob", name)->Texts(names));
    REQUIRE(there.size() == names.size());
    REQUIRE(seen.size() == names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      INFO(names[i]);
      const std::string& text = calendar.objects[i].text;
      CHECK(there.at(names[i]).data == text);
      // A viewer has alarms of his own; every other byte is the owner's.
      const bool alarms = store::calendar::MayHaveAlarms(text);
      CHECK(seen.at(names[i]).data ==
            (alarms ? ValueOf(store::calendar::PersonalText(text, {})) : text));
      as_they_are += alarms ? 0 : 1;
      ++objects;
    }
  }
  CHECK(objects == 1696);
  CHECK(as_they_are > 1000);
}

}  // namespace
}  // namespace podkit::testing
