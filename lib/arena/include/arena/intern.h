// Interned words: equal texts are one pointer. For vocabularies that are bounded (condition types,
// reasons); never freed before the program ends.
#pragma once

const char *intern(const char *word);  // NULL stays NULL
