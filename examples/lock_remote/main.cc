// Pod A writes a store whose lock pod L grants; both in one process.
#include <iostream>
#include <memory>
#include <string>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/in_process.h"
#include "podkit/lock/directory_service.h"
#include "podkit/lock/local_directory.h"
#include "podkit/lock/remote_directory.h"
#include "podkit/lock/session.h"

namespace conduit = podkit::conduit;
namespace lock = podkit::lock;

int main() {
  const std::string key(32, 'k');
  conduit::InProcessNetwork network;  // HttpTransport or MuxTransport between processes.
  conduit::Conduit a(*conduit::Pods::Create({{.id = "A"}, {.id = "L", .keys = {key}}}, "A"),
                     &network);
  conduit::Conduit l(*conduit::Pods::Create({{.id = "A", .keys = {key}}, {.id = "L"}}, "L"),
                     &network);
  network.Connect("L", [&l](const conduit::WireRequest& request) { return l.Receive(request); });

  // On pod L, as lockd does it with OpenSqliteDirectory.
  auto directory = lock::OpenMemoryDirectory();
  if (!directory.ok()) return 1;
  lock::ServeDirectory(*std::move(directory), {}, &l);

  // On pod A: the same Session as with a directory of its own.
  const auto remote =
      std::make_shared<lock::RemoteDirectory>(&a, lock::RemoteDirectoryOptions{.pod = "L"});
  lock::SessionOptions options;
  options.host = "A";
  auto session = lock::Session::Open(remote, options);
  if (!session.ok()) {
    std::cerr << session.status() << "\n";
    return 1;
  }
  auto held = (*session)->Acquire("ann", {.create = true});
  if (!held.ok()) {
    std::cerr << held.status() << "\n";
    return 1;
  }
  const auto second = (*session)->Acquire("ann");
  std::cout << "ann is held with token " << (*held)->token() << "\n"
            << "a second try is " << lock::LockErrorName(lock::GetLockError(second.status()).error)
            << "\n"
            << "released: " << (*held)->Release() << "\n";
  return (*session)->Close().ok() ? 0 : 1;
}
