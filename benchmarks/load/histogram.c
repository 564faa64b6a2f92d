/* Latencies in logarithmic buckets: 128 for each power of two. */
#include "load.h"

static size_t bucket_of(uint64_t value) {
    if (value < 256) return value;
    unsigned shift = 56 - (unsigned)__builtin_clzll(value);
    return (size_t)shift * 128 + (size_t)(value >> shift);
}

/* The highest value that falls into a bucket. */
static uint64_t top_of(size_t bucket) {
    if (bucket < 256) return bucket;
    unsigned shift = (unsigned)(bucket / 128) - 1;
    return ((((uint64_t)bucket % 128) + 129) << shift) - 1;
}

void histogram_add(Histogram *histogram, uint64_t value) {
    histogram->counts[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += (double)value;
    if (value > histogram->max) histogram->max = value;
}

uint64_t histogram_percentile(const Histogram *histogram, double percent) {
    double exact = percent * (double)histogram->count / 100;
    uint64_t rank = (uint64_t)exact, seen = 0;
    if (exact - (double)rank > 1e-6) rank++;
    if (rank == 0) rank = 1;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen >= rank) {
            uint64_t top = top_of(bucket);
            return top < histogram->max ? top : histogram->max;
        }
    }
    return histogram->max;
}
