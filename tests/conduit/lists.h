// A shop's lists: commands of which one makes what the next ones use. For the tests of batches.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cheese.h"
#include "common/mutex.h"
#include "podkit/conduit/batch.h"
#include "podkit/conduit/conduit.h"

namespace podkit::conduit {

struct CreateList {
  static constexpr CommandInfo kInfo = {.name = "create-list"};
  struct Arguments {
    std::string name;
    static constexpr auto Fields() { return std::make_tuple(Required("name", &Arguments::name)); }
  };
  struct Part {
    std::string id;
    static constexpr auto Fields() { return std::make_tuple(Required("id", &Part::id)); }
  };
  struct Response {
    std::string id;
    std::vector<Part> parts;
    std::map<std::string, int64_t> sizes;
    std::string unlisted;  // Not on the wire.
    static constexpr auto Fields() {
      return std::make_tuple(Required("id", &Response::id), Optional("a/b~parts", &Response::parts),
                             Optional("sizes", &Response::sizes));
    }
  };
  using Errors = ErrorList<NoSuchCheese>;
};

struct AddItem {
  static constexpr CommandInfo kInfo = {.name = "add-item"};
  struct Target {
    std::string list;
    std::optional<std::string> shelf;
    static constexpr auto Fields() {
      return std::make_tuple(Required("list", &Target::list), Optional("shelf", &Target::shelf));
    }
  };
  struct Arguments {
    std::string text;
    int64_t count = 1;
    static constexpr auto Fields() {
      return std::make_tuple(Required("text", &Arguments::text),
                             Optional("count", &Arguments::count));
    }
  };
  using Response = std::string;  // What was added, in words.
  using Errors = ErrorList<NoSuchCheese>;
};

// By position.
struct ReadItem {
  static constexpr CommandInfo kInfo = {.name = "read-item", .effect = Effect::kRead};
  using Arguments = std::tuple<std::string, std::optional<std::string>>;
  using Response = std::string;
  using Errors = ErrorList<>;
};

// Serves them, and writes down what was executed.
class Lists {
 public:
  void Serve(Conduit& conduit, AnswerStore* answers = nullptr) {
    conduit.Handle<CreateList>(
        [this](const CallContext& context, const CreateList::Arguments& arguments) {
          return Create(context, arguments);
        },
        {.answers = answers});
    conduit.Handle<AddItem>(
        [this](const CallContext& context, const AddItem::Target& target,
               const AddItem::Arguments& arguments) -> absl::StatusOr<std::string> {
          const std::string words = arguments.text + "*" + std::to_string(arguments.count) + "@" +
                                    target.list + "/" + target.shelf.value_or("-");
          Note(context, "add " + words);
          return words;
        },
        {.answers = answers});
    conduit.Handle<ReadItem>(
        [this](const CallContext& context,
               const ReadItem::Arguments& arguments) -> absl::StatusOr<std::string> {
          const auto& [first, second] = arguments;
          Note(context, "read " + first.substr(0, 20));
          if (on_read) on_read();
          return first + second.value_or("");
        });
  }

  std::vector<std::string> Done() const {
    MutexLock lock(&mutex_);
    return done_;
  }

  std::function<void()> on_read;

 private:
  absl::StatusOr<CreateList::Response> Create(const CallContext& context,
                                              const CreateList::Arguments& arguments) {
    if (arguments.name == "brie") {
      return MakeError(NoSuchCheese{"brie", 7}, "no cheese 'brie': ask for another");
    }
    if (arguments.name == "lead") return absl::DataLossError("the shelf broke");
    Note(context, "create " + arguments.name);
    return CreateList::Response{
        .id = "id-of-" + arguments.name, .parts = {{"first"}, {"second"}}, .sizes = {{"x/y", 12}}};
  }

  void Note(const CallContext& context, const std::string& what) {
    MutexLock lock(&mutex_);
    done_.push_back((context.actor.empty() ? "" : context.actor + ": ") + what);
  }

  mutable Mutex mutex_;
  std::vector<std::string> done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit
