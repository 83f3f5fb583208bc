// A load on a directory or on an S3 server: so many files or objects of one size by so many threads. Prints the seconds.
//
// usage: load write|write-fsync|read|stat|unlink DIRECTORY COUNT SIZE THREADS [PASSES]
//        load put|get|delete ENDPOINT/BUCKET/PREFIX COUNT SIZE THREADS   (keys from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)
//
// With PASSES the same files are gone through so many times: for what is over too soon to be measured once.
// Both sides move the same bytes: noise, of which the first eight bytes count the file. The S3 side keeps its
// connections alive, one a thread, and signs each request but not its body: it is the least that a client can do.

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *mode, *place;
static size_t count, size, threads, passes = 1;
static char *noise, *credentials;
static atomic_size_t next_item;

static void die(const char *what, const char *why) {
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(1);
}

struct body {
    uint64_t number;
    size_t done;
};

// The next bytes of file `number`: its number, then noise.
static size_t fill(char *out, size_t room, struct body *body) {
    size_t n = size - body->done < room ? size - body->done : room;
    memcpy(out, noise + body->done, n);
    if (body->done == 0 && n >= 8) memcpy(out, &body->number, 8);
    body->done += n;
    return n;
}

static size_t on_read(char *out, size_t unit, size_t units, void *data) { return fill(out, unit * units, data); }

static size_t on_write(char *data, size_t unit, size_t units, void *received) {
    (void)data;
    *(size_t *)received += unit * units;
    return unit * units;
}

static int on_seek(void *data, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    ((struct body *)data)->done = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static void transfer(CURL *curl, size_t number, int upload, int remove) {
    char url[2048];
    struct body body = {number, 0};
    size_t received = 0;
    snprintf(url, sizeof url, "%s/%06zu.jpg", place, number);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
    if (upload) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(curl, CURLOPT_READDATA, &body);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, &body);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
    }
    if (remove) curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) die(url, curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != (remove ? 204 : 200)) die(url, "the server did not answer with 200, or 204 for a removal");
    if (!upload && !remove && received != size) die(url, "an object of another size");
}

static void write_file(size_t number, char *buffer, int sync) {
    char path[2048];
    struct body body = {number, 0};
    snprintf(path, sizeof path, "%s/%06zu.jpg", place, number);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) die(path, strerror(errno));
    size_t n;
    while ((n = fill(buffer, 128 << 10, &body)) > 0)
        if (write(fd, buffer, n) != (ssize_t)n) die(path, strerror(errno));
    if (sync && fsync(fd) != 0) die(path, strerror(errno));
    if (close(fd) != 0) die(path, strerror(errno));
}

static void read_file(size_t number, char *buffer) {
    char path[2048];
    snprintf(path, sizeof path, "%s/%06zu.jpg", place, number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) die(path, strerror(errno));
    size_t done = 0;
    ssize_t n;
    while ((n = read(fd, buffer, 128 << 10)) > 0) {
        uint64_t found;
        if (done == 0 && n >= 8 && (memcpy(&found, buffer, 8), found != number)) die(path, "other bytes");
        done += (size_t)n;
    }
    if (n < 0) die(path, strerror(errno));
    if (done != size) die(path, "another size");
    close(fd);
}

static void stat_file(size_t number) {
    char path[2048];
    struct stat found;
    snprintf(path, sizeof path, "%s/%06zu.jpg", place, number);
    if (stat(path, &found) != 0) die(path, strerror(errno));
    if ((size_t)found.st_size != size) die(path, "another size");
}

static void unlink_file(size_t number) {
    char path[2048];
    snprintf(path, sizeof path, "%s/%06zu.jpg", place, number);
    if (unlink(path) != 0) die(path, strerror(errno));
}

static void *work(void *unused) {
    (void)unused;
    char *buffer = malloc(128 << 10);
    CURL *curl = NULL;
    struct curl_slist *headers = NULL;
    int is_put = strcmp(mode, "put") == 0, is_get = strcmp(mode, "get") == 0, is_delete = strcmp(mode, "delete") == 0;
    if (is_put || is_get || is_delete) {
        curl = curl_easy_init();
        headers = curl_slist_append(headers, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
        // "Expect:" would be part of what libcurl 7.88 signs; without a wait the header costs nothing.
        curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 0L);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
        curl_easy_setopt(curl, CURLOPT_USERPWD, credentials);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_write);
        curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
        curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L << 10);
    }
    size_t number;
    while ((number = atomic_fetch_add(&next_item, 1)) < count * passes) {
        number %= count;
        if (curl) transfer(curl, number, is_put, is_delete);
        else if (strcmp(mode, "stat") == 0) stat_file(number);
        else if (strcmp(mode, "unlink") == 0) unlink_file(number);
        else if (strcmp(mode, "read") == 0) read_file(number, buffer);
        else write_file(number, buffer, strcmp(mode, "write-fsync") == 0);
    }
    if (curl) curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    free(buffer);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 6 && argc != 7) die("usage", "load MODE PLACE COUNT SIZE THREADS [PASSES]");
    mode = argv[1], place = argv[2];
    count = strtoul(argv[3], NULL, 10), size = strtoul(argv[4], NULL, 10), threads = strtoul(argv[5], NULL, 10);
    if (argc == 7) passes = strtoul(argv[6], NULL, 10);
    if (threads < 1 || threads > 1024 || size < 8) die("usage", "1 to 1024 threads, at least 8 bytes");
    const char *key = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    credentials = malloc(512);
    snprintf(credentials, 512, "%s:%s", key ? key : "", secret ? secret : "");
    noise = malloc(size);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        noise[i] = (char)state;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_t *workers = calloc(threads, sizeof *workers);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&workers[i], NULL, work, NULL) != 0) die("pthread_create", "no thread");
    for (size_t i = 0; i < threads; i++) pthread_join(workers[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.6f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
