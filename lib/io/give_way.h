// A thread that computes for long beside a loop that answers: it runs at a low priority, and in short pieces. Without
// them it keeps its core until the kernel's next tick, 4 ms, while others wait.
#pragma once

void give_way_begin(void);  // on the thread
void give_way_end(void);    // on the same
