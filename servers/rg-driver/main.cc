// rg-driver <method>: a worker process of a replica gateway.
#include "podkit/replica/worker.h"

int main(int argc, char** argv) { return podkit::replica::RunWorker(argc, argv); }
