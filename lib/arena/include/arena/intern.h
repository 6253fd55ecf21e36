// Interned words: equal texts are one pointer. For vocabularies that are bounded (condition types,
// reasons); never freed before the program ends.
#pragma once

const char *intern(const char *word);  // NULL stays NULL

// The same for a word that comes from outside: a new one is only kept while fewer than 4,096 of them
// are; after that it becomes "Other", so that input cannot fill the memory.
const char *intern_input(const char *word);
