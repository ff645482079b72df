// The whole of a worker process: what `rg-driver` runs.
#pragma once

namespace podkit::replica {

// The descriptor at which a worker finds the socket to its gateway. Standard input is empty, and
// what is printed to standard output and standard error goes to the gateway's log.
inline constexpr int kWorkerSocket = 3;

// Serves calls for the method named in the first argument until the gateway goes away. Returns what
// the process is to exit with: 0 in the end, and if the driver has no such method; 1 for a wrong
// command line; 2 if the driver, its settings or the confinement is bad; 3 for rubbish from the
// gateway. A Python driver replaces this program by an interpreter and ends with 4 after an
// exception.
int RunWorker(int argc, char** argv);

}  // namespace podkit::replica
