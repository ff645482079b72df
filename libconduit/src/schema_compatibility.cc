// The rules: docs/conduit-compatibility.md.
#include <set>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "outcome.h"
#include "podkit/conduit/schema.h"
#include "type_kinds.h"

namespace podkit::conduit {
namespace {

using internal::IntegerRange;
using internal::RangeOf;

// Whether what one side sends can be read by the other.
enum class Fit { kAlways, kSometimes, kNever };

constexpr uint64_t kExactInDouble = uint64_t{1} << 53;

Fit IntegerFit(const IntegerRange& sent, TypeKind taken) {
  if (const auto range = RangeOf(taken)) {
    return sent.min >= range->min && sent.max <= range->max ? Fit::kAlways : Fit::kSometimes;
  }
  if (taken == TypeKind::kNumber) {
    return sent.max <= kExactInDouble ? Fit::kAlways : Fit::kSometimes;
  }
  // The same on the wire, but not the same thing.
  return taken == TypeKind::kDuration ? Fit::kSometimes : Fit::kNever;
}

// Of kinds that have no parts.
Fit ScalarFit(TypeKind sent, TypeKind taken) {
  if (taken == TypeKind::kAny || sent == taken) return Fit::kAlways;
  if (sent == TypeKind::kAny) return Fit::kSometimes;
  if (const auto range = RangeOf(sent)) return IntegerFit(*range, taken);
  switch (sent) {
    case TypeKind::kDuration:
      return RangeOf(taken) ? Fit::kSometimes : Fit::kNever;
    case TypeKind::kTime:
    case TypeKind::kEnum:
    case TypeKind::kString:
    case TypeKind::kBytes:
      break;
    default:
      return Fit::kNever;
  }
  switch (taken) {
    case TypeKind::kString:
      return sent == TypeKind::kBytes ? Fit::kSometimes : Fit::kAlways;
    case TypeKind::kBytes:
      return Fit::kAlways;
    case TypeKind::kTime:
    case TypeKind::kEnum:
      return sent == TypeKind::kString || sent == TypeKind::kBytes ? Fit::kSometimes : Fit::kNever;
    default:
      return Fit::kNever;
  }
}

const FieldSchema* FindField(const TypeSchema& type, std::string_view name) {
  for (const FieldSchema& field : type.fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

// A type together with the structures around it, outermost first.
struct Place {
  const TypeSchema* type;
  std::vector<const TypeSchema*> around;

  Place Inside(const TypeSchema& part) const {
    Place place{&part, around};
    if (type->kind == TypeKind::kStructure) place.around.push_back(type);
    return place;
  }
  // The structure itself where only a reference to it stands.
  Place Resolved() const {
    if (type->kind != TypeKind::kEnclosing || type->levels < 1 || type->levels > around.size()) {
      return *this;
    }
    const auto end = around.end() - static_cast<std::ptrdiff_t>(type->levels);
    return {*end, {around.begin(), end}};
  }
};

// Compares what one side sends with what the other takes.
class FitChecker {
 public:
  FitChecker(bool in_call, std::vector<SchemaBreak>* breaks)
      : in_call_(in_call),
        sender_(in_call ? "the caller" : "the responder"),
        taker_(in_call ? "the responder" : "the caller"),
        breaks_(breaks) {}

  // `always`: the value is there in every call.
  void Check(const Place& sent_place, const Place& taken_place, const std::string& path,
             bool always) {
    const Place sent = sent_place.Resolved();
    const Place taken = taken_place.Resolved();
    // Seen before: a structure that holds itself. What breaks in it has been said.
    if (!seen_.emplace(sent.type, taken.type).second) return;
    if (sent.type->kind == TypeKind::kOptional || taken.type->kind == TypeKind::kOptional) {
      CheckOptional(sent, taken, path, always);
      return;
    }
    const bool has_parts = taken.type->kind >= TypeKind::kList;
    if (has_parts && sent.type->kind == taken.type->kind) {
      CheckParts(sent, taken, path, always);
      return;
    }
    const Fit fit = ScalarFit(sent.type->kind, taken.type->kind);
    if (fit != Fit::kAlways) {
      Report(path, always && fit == Fit::kNever,
             fmt::format("{} sends {}, {} takes {}", sender_, TypeKindName(sent.type->kind), taker_,
                         TypeKindName(taken.type->kind)));
    } else if (taken.type->kind == TypeKind::kEnum) {
      CheckNames(*sent.type, *taken.type, path);
    }
  }

  void CheckFields(const Place& sent, const Place& taken, const std::string& path, bool always) {
    for (const FieldSchema& field : taken.type->fields) {
      const std::string field_path = fmt::format("{}.{}", path, field.name);
      const FieldSchema* const other = FindField(*sent.type, field.name);
      if (other == nullptr) {
        if (!field.required) continue;
        Report(field_path, always,
               fmt::format("{} requires it, {} does not send it", taker_, sender_));
        continue;
      }
      if (field.required && !other->required) {
        Report(field_path, false,
               fmt::format("{} requires it, {} may leave it out", taker_, sender_));
      }
      Place sent_field = sent.Inside(other->type);
      // Null is as good as absent.
      if (!field.required && other->type.kind == TypeKind::kOptional) {
        sent_field.type = &other->type.elements.front();
        Check(sent_field, taken.Inside(field.type), field_path, false);
        continue;
      }
      Check(sent_field, taken.Inside(field.type), field_path, always && other->required);
    }
  }

  void CheckElements(const Place& sent, const Place& taken, const std::string& path, bool always) {
    const auto& sent_elements = sent.type->elements;
    const auto& taken_elements = taken.type->elements;
    for (size_t i = 0; i < taken_elements.size(); ++i) {
      const std::string element_path = fmt::format("{}[{}]", path, i);
      if (i < sent_elements.size()) {
        Check(sent.Inside(sent_elements[i]), taken.Inside(taken_elements[i]), element_path, always);
      } else if (taken_elements[i].kind != TypeKind::kOptional) {
        Report(element_path, always,
               fmt::format("{} requires it, {} does not send it", taker_, sender_));
      }
    }
  }

  void Report(const std::string& path, bool always, std::string reason) {
    breaks_->push_back(
        {.in_call = in_call_, .path = path, .reason = std::move(reason), .always = always});
  }

 private:
  void CheckOptional(const Place& sent, const Place& taken, const std::string& path, bool always) {
    const auto unwrap = [](const Place& place) {
      return place.type->kind == TypeKind::kOptional ? place.Inside(place.type->elements.front())
                                                     : place;
    };
    const bool may_be_null = sent.type->kind == TypeKind::kOptional;
    if (may_be_null && taken.type->kind != TypeKind::kOptional &&
        taken.type->kind != TypeKind::kAny) {
      Report(path, false,
             fmt::format("{} may send null, {} takes {}", sender_, taker_,
                         TypeKindName(taken.type->kind)));
    }
    Check(unwrap(sent), unwrap(taken), path, always && !may_be_null);
  }

  void CheckParts(const Place& sent, const Place& taken, const std::string& path, bool always) {
    switch (taken.type->kind) {
      case TypeKind::kList:
      case TypeKind::kMap:
        Check(sent.Inside(sent.type->elements.front()), taken.Inside(taken.type->elements.front()),
              path + (taken.type->kind == TypeKind::kList ? "[*]" : ".*"), false);
        return;
      case TypeKind::kTuple:
        CheckElements(sent, taken, path, always);
        return;
      case TypeKind::kVariant:
        CheckCases(sent, taken, path);
        return;
      case TypeKind::kStructure:
        CheckFields(sent, taken, path, always);
        return;
      default:  // A reference that leads nowhere.
        return;
    }
  }

  void CheckNames(const TypeSchema& sent, const TypeSchema& taken, const std::string& path) {
    if (taken.open) return;
    std::vector<std::string> unknown;
    std::set_difference(sent.names.begin(), sent.names.end(), taken.names.begin(),
                        taken.names.end(), std::back_inserter(unknown));
    if (unknown.empty()) return;
    Report(path, false,
           fmt::format("{} may send '{}', which {} does not know", sender_,
                       fmt::join(unknown, "', '"), taker_));
  }

  void CheckCases(const Place& sent, const Place& taken, const std::string& path) {
    for (const FieldSchema& one : sent.type->fields) {
      const FieldSchema* const known = FindField(*taken.type, one.name);
      if (known != nullptr) {
        Check(sent.Inside(one.type), taken.Inside(known->type),
              fmt::format("{}.{}", path, one.name), false);
      } else if (!taken.type->open) {
        Report(path, false,
               fmt::format("{} may send the case '{}', which {} does not know", sender_, one.name,
                           taker_));
      }
    }
    if (sent.type->open && !taken.type->open) {
      Report(path, false, fmt::format("{} may send no case, {} takes one", sender_, taker_));
    }
  }

  const bool in_call_;
  const std::string_view sender_;
  const std::string_view taker_;
  std::vector<SchemaBreak>* const breaks_;
  std::set<std::pair<const TypeSchema*, const TypeSchema*>> seen_;
};

bool IsEmpty(const TypeSchema& type) { return type.fields.empty() && type.elements.empty(); }

void CheckArguments(const TypeSchema& sent, const TypeSchema& taken, FitChecker& checker) {
  if (sent.kind == taken.kind && taken.kind == TypeKind::kTuple) {
    checker.CheckElements({&sent, {}}, {&taken, {}}, "$.arguments", true);
    return;
  }
  if (sent.kind == taken.kind) {
    checker.CheckFields({&sent, {}}, {&taken, {}}, "$.keywords", true);
    return;
  }
  if (!IsEmpty(sent)) {
    const bool by_name = sent.kind == TypeKind::kStructure;
    checker.Report(by_name ? "$.keywords" : "$.arguments", true,
                   fmt::format("the caller sends arguments by {}, the responder takes them by {}",
                               by_name ? "name" : "position", by_name ? "position" : "name"));
    return;
  }
  // No arguments are no arguments, whatever way they might have come.
  const TypeSchema none{.kind = taken.kind};
  CheckArguments(none, taken, checker);
}

void CheckResponse(const TypeSchema& sent, const TypeSchema& taken, FitChecker& checker) {
  // Who expects nothing does not look.
  if (taken.kind == TypeKind::kStructure && taken.fields.empty()) return;
  checker.Check({&sent, {}}, {&taken, {}}, "$.value", true);
}

void CheckErrors(const CommandSchema& caller, const CommandSchema& responder, FitChecker& checker) {
  for (const ErrorSchema& sent : responder.errors) {
    const auto known = std::find_if(
        caller.errors.begin(), caller.errors.end(),
        [&](const ErrorSchema& error) { return error.error_class == sent.error_class; });
    if (known == caller.errors.end()) continue;
    const std::string path = fmt::format("{}$.fields", sent.error_class);
    if (sent.code != known->code) {
      checker.Report(
          sent.error_class, false,
          fmt::format("the responder answers it with code '{}', the caller knows it with "
                      "'{}'",
                      internal::CodeName(sent.code), internal::CodeName(known->code)));
    }
    checker.Check({&sent.fields, {}}, {&known->fields, {}}, path, false);
  }
}

}  // namespace

std::vector<SchemaBreak> FindBreaks(const CommandSchema& caller, const CommandSchema& responder) {
  std::vector<SchemaBreak> breaks;
  FitChecker call(true, &breaks);
  FitChecker answer(false, &breaks);
  if (caller.name != responder.name) {
    call.Report("$.action", true, fmt::format("the responder's command is '{}'", responder.name));
  }
  if (responder.effect > caller.effect) {
    call.Report("", true,
                fmt::format("for the caller its effect is '{}', for the responder '{}': a repeated "
                            "call would do harm",
                            EnumName(caller.effect), EnumName(responder.effect)));
  }
  call.CheckFields({&caller.target, {}}, {&responder.target, {}}, "$", true);
  CheckArguments(caller.arguments, responder.arguments, call);
  CheckResponse(responder.response, caller.response, answer);
  CheckErrors(caller, responder, answer);
  return breaks;
}

std::string BreakText(const SchemaBreak& a_break) {
  return fmt::format("{}: {}{}{}", a_break.in_call ? "the call" : "the answer", a_break.path,
                     a_break.path.empty() ? "" : ": ", a_break.reason);
}

absl::Status CheckCompatible(const CommandSchema& caller, const CommandSchema& responder) {
  const std::vector<SchemaBreak> breaks = FindBreaks(caller, responder);
  if (breaks.empty()) return absl::OkStatus();
  std::string text = fmt::format("'{}' does not fit", caller.name);
  std::string_view separator = ": ";
  for (const SchemaBreak& one : breaks) {
    text += separator;
    text += BreakText(one);
    separator = "; ";
  }
  return absl::FailedPreconditionError(text);
}

}  // namespace podkit::conduit
