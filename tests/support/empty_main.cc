// The program around which a link test puts a whole library.
int main() { return 0; }
