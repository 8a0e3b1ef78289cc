/*
 * A narrow C face of spandsp 0.0.6 for the test kit: one call makes one signal, receivers keep what they
 * heard in a buffer that is read afterwards. So no callback, struct size or macro of spandsp crosses into Rust.
 */
#define SPANDSP_EXPOSE_INTERNAL_STRUCTURES
#include <spandsp.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 160 };

static int16_t saturate_float(float x)
{
    if (x > 32767.0f)
        return 32767;
    if (x < -32768.0f)
        return -32768;
    return (int16_t) lrintf(x);
}

/* Two sines by spandsp's dds, summed and clipped as a codec clips. `dtmf_tx` takes neither a frequency nor a
   fraction of a decibel, and `tone_gen` wraps around where a codec clips. Level -99 and below: no tone. */
int kit_two_tones(int16_t *out, int samples, float f1, float level1, float f2, float level2)
{
    uint32_t phase1 = 0;
    uint32_t phase2 = 0;
    const int32_t rate1 = dds_phase_ratef(f1);
    const int32_t rate2 = dds_phase_ratef(f2);
    const float gain1 = (level1 <= -99.0f) ? 0.0f : dds_scaling_dbm0f(level1);
    const float gain2 = (level2 <= -99.0f) ? 0.0f : dds_scaling_dbm0f(level2);

    for (int i = 0; i < samples; i++)
        out[i] = saturate_float(dds_modf(&phase1, rate1, gain1, 0) + dds_modf(&phase2, rate2, gain2, 0));
    return samples;
}

/* spandsp's own DTMF sender. Returns samples made, or -1 when a digit is not one. */
int kit_dtmf_tx(const char *digits, int count, int low_dbm0, int twist_db, int on_ms, int off_ms, int16_t *out, int max)
{
    dtmf_tx_state_t *tx = dtmf_tx_init(NULL);
    int made = 0;
    int put = 0;

    if (tx == NULL)
        return -1;
    dtmf_tx_set_level(tx, low_dbm0, twist_db);
    dtmf_tx_set_timing(tx, on_ms, off_ms);
    while (made < max) {
        if (put < count) {
            const int want = (count - put > 64) ? 64 : count - put;
            /* dtmf_tx_put answers how many did NOT fit. */
            const int left = (int) dtmf_tx_put(tx, digits + put, want);
            put += want - left;
        }
        const int room = (max - made > CHUNK) ? CHUNK : max - made;
        const int n = dtmf_tx(tx, out + made, room);
        made += n;
        if (n < room && put >= count)
            break;
    }
    dtmf_tx_free(tx);
    return made;
}

/* One caller-ID message, modulated by adsi_tx. `fields` is a sequence of (type, length, bytes); the first
   byte of `message_type` opens the message. `standard` is an ADSI_STANDARD_. The factors shift both frequencies and the
   bit rate of FSK, which adsi_tx itself cannot. Returns samples made, or -1. */
int kit_adsi_tx(int standard, int message_type, const uint8_t *fields, int fields_len, float level_dbm0, float twist_db,
                int seizure_bits, int mark_bits, float hertz_factor, float rate_factor, int on_ms, int off_ms,
                int16_t *out, int max)
{
    adsi_tx_state_t *tx = adsi_tx_init(NULL, standard);
    uint8_t msg[256];
    int len;
    int made = 0;

    if (tx == NULL)
        return -1;
    adsi_tx_set_preamble(tx, seizure_bits, mark_bits, -1, -1);
    len = adsi_add_field(tx, msg, -1, (uint8_t) message_type, NULL, 0);
    for (int pos = 0; pos + 2 <= fields_len && pos + 2 + fields[pos + 1] <= fields_len; pos += 2 + fields[pos + 1]) {
        if (len + fields[pos + 1] + 4 > (int) sizeof(msg)) {
            adsi_tx_free(tx);
            return -1;
        }
        len = adsi_add_field(tx, msg, len, fields[pos], fields + pos + 2, fields[pos + 1]);
    }
    if (standard == ADSI_STANDARD_CLIP_DTMF) {
        tx->dtmftx.low_level = dds_scaling_dbm0f(level_dbm0);
        tx->dtmftx.high_level = dds_scaling_dbm0f(level_dbm0 + twist_db);
        dtmf_tx_set_timing(&tx->dtmftx, on_ms, off_ms);
    } else {
        fsk_tx_power(&tx->fsktx, level_dbm0);
        for (int i = 0; i < 2; i++)
            tx->fsktx.phase_rates[i] = (int32_t) ((float) tx->fsktx.phase_rates[i] * hertz_factor);
        tx->fsktx.current_phase_rate = tx->fsktx.phase_rates[1];
        tx->fsktx.baud_rate = (int) lrintf((float) tx->fsktx.baud_rate * rate_factor);
    }
    if (adsi_tx_put_message(tx, msg, len) < 0) {
        adsi_tx_free(tx);
        return -1;
    }
    while (made < max) {
        const int room = (max - made > CHUNK) ? CHUNK : max - made;
        const int n = adsi_tx(tx, out + made, room);
        made += n;
        if (n < room)
            break;
    }
    adsi_tx_free(tx);
    return made;
}

/* A supervisory tone by super_tone_tx: `steps` of (hertz, dBm0, milliseconds), hertz 0 for silence. */
struct kit_step {
    float hertz;
    float dbm0;
    int ms;
};

int kit_super_tone_tx(const struct kit_step *steps, int count, int16_t *out, int max)
{
    super_tone_tx_step_t *first = NULL;
    super_tone_tx_step_t **link = &first;
    super_tone_tx_state_t *tx;
    int made = 0;

    for (int i = 0; i < count; i++) {
        *link = super_tone_tx_make_step(NULL, steps[i].hertz, steps[i].dbm0, 0.0f, 0.0f, steps[i].ms, 1);
        if (*link == NULL)
            break;
        link = &(*link)->next;
    }
    tx = (first != NULL) ? super_tone_tx_init(NULL, first) : NULL;
    if (tx != NULL) {
        while (made < max) {
            const int room = (max - made > CHUNK) ? CHUNK : max - made;
            const int n = super_tone_tx(tx, out + made, room);
            made += n;
            if (n < room)
                break;
        }
        super_tone_tx_free(tx);
    }
    if (first != NULL)
        super_tone_tx_free_tone(first);
    return made;
}

/* White Gaussian noise of a level, added to `out` and clipped. */
awgn_state_t *kit_awgn_new(int seed, float dbm0)
{
    return awgn_init_dbm0(NULL, seed, dbm0);
}

void kit_awgn_add(awgn_state_t *s, int16_t *out, int samples)
{
    for (int i = 0; i < samples; i++)
        out[i] = saturate_float((float) out[i] + (float) awgn(s));
}

void kit_awgn_free(awgn_state_t *s)
{
    awgn_free(s);
}

/* What a receiver heard. `code`: the digit, the tone's index, or the message's length; -1 the end of a tone. */
struct kit_heard {
    uint64_t noticed_at;
    int32_t code;
    uint8_t bytes[256];
};

struct kit_rx {
    dtmf_rx_state_t *dtmf;
    super_tone_rx_descriptor_t *descriptor;
    super_tone_rx_state_t *super_tone;
    adsi_rx_state_t *adsi;
    int adsi_standard;
    power_meter_t *meter;
    uint64_t now;
    int64_t power_sum;
    struct kit_heard *heard;
    size_t count;
    size_t room;
};

static struct kit_heard *heard_push(struct kit_rx *rx)
{
    if (rx->count == rx->room) {
        const size_t room = rx->room ? rx->room * 2 : 16;
        struct kit_heard *more = realloc(rx->heard, room * sizeof(*more));
        if (more == NULL)
            return NULL;
        rx->heard = more;
        rx->room = room;
    }
    struct kit_heard *h = &rx->heard[rx->count++];
    h->noticed_at = rx->now;
    h->code = 0;
    return h;
}

static void on_digits(void *user, const char *digits, int len)
{
    for (int i = 0; i < len; i++) {
        struct kit_heard *h = heard_push(user);
        if (h != NULL)
            h->code = digits[i];
    }
}

static void on_tone(void *user, int code, int level, int delay)
{
    struct kit_heard *h = heard_push(user);
    (void) level;
    (void) delay;
    if (h != NULL)
        h->code = code;
}

static void on_message(void *user, const uint8_t *msg, int len)
{
    struct kit_heard *h = heard_push(user);
    if (h != NULL && len >= 0) {
        h->code = (len > (int) sizeof(h->bytes)) ? (int) sizeof(h->bytes) : len;
        memcpy(h->bytes, msg, (size_t) h->code);
    }
}

struct kit_rx *kit_rx_new(void)
{
    return calloc(1, sizeof(struct kit_rx));
}

int kit_rx_add_dtmf(struct kit_rx *rx)
{
    rx->dtmf = dtmf_rx_init(NULL, on_digits, rx);
    return rx->dtmf != NULL;
}

int kit_rx_add_adsi(struct kit_rx *rx, int standard)
{
    rx->adsi_standard = standard;
    rx->adsi = adsi_rx_init(NULL, standard, on_message, rx);
    return rx->adsi != NULL;
}

int kit_rx_add_power_meter(struct kit_rx *rx)
{
    rx->meter = power_meter_init(NULL, 7);
    return rx->meter != NULL;
}

/* Elements of (tone, hertz or -1 for silence, least ms, most ms or 0 for no limit), grouped by tone from 0 up. */
struct kit_element {
    int tone;
    int hertz;
    int min_ms;
    int max_ms;
};

int kit_rx_add_super_tone(struct kit_rx *rx, const struct kit_element *elements, int count)
{
    int made = -1;

    rx->descriptor = super_tone_rx_make_descriptor(NULL);
    if (rx->descriptor == NULL)
        return 0;
    for (int i = 0; i < count; i++) {
        while (made < elements[i].tone)
            made = super_tone_rx_add_tone(rx->descriptor);
        /* 0 stands for "none" inside spandsp; its page says -1. */
        super_tone_rx_add_element(rx->descriptor, elements[i].tone, elements[i].hertz > 0 ? elements[i].hertz : 0, 0,
                                  elements[i].min_ms, elements[i].max_ms);
    }
    rx->super_tone = super_tone_rx_init(NULL, rx->descriptor, on_tone, rx);
    return rx->super_tone != NULL;
}

void kit_rx(struct kit_rx *rx, const int16_t *amp, int samples)
{
    rx->now += (uint64_t) samples;
    if (rx->dtmf != NULL)
        dtmf_rx(rx->dtmf, amp, samples);
    if (rx->super_tone != NULL)
        super_tone_rx(rx->super_tone, amp, samples);
    if (rx->adsi != NULL)
        adsi_rx(rx->adsi, amp, samples);
    if (rx->meter != NULL) {
        for (int i = 0; i < samples; i++)
            power_meter_update(rx->meter, amp[i]);
        rx->power_sum += power_meter_current(rx->meter);
    }
}

size_t kit_rx_heard_count(const struct kit_rx *rx)
{
    return rx->count;
}

const struct kit_heard *kit_rx_heard(const struct kit_rx *rx)
{
    return rx->heard;
}

/* A field of a message that adsi_rx gave. Returns the next position, negative at the end; see adsi_next_field. */
int kit_rx_next_field(struct kit_rx *rx, const uint8_t *msg, int len, int pos, uint8_t *type, const uint8_t **body, int *body_len)
{
    return adsi_next_field(rx->adsi, msg, len, pos, type, body, body_len);
}

float kit_rx_level_dbm0(struct kit_rx *rx)
{
    return (rx->meter != NULL) ? power_meter_current_dbm0(rx->meter) : -99.0f;
}

void kit_rx_free(struct kit_rx *rx)
{
    if (rx == NULL)
        return;
    if (rx->dtmf != NULL)
        dtmf_rx_free(rx->dtmf);
    if (rx->super_tone != NULL)
        super_tone_rx_free(rx->super_tone);
    if (rx->descriptor != NULL)
        super_tone_rx_free_descriptor(rx->descriptor);
    if (rx->adsi != NULL)
        adsi_rx_free(rx->adsi);
    if (rx->meter != NULL)
        power_meter_free(rx->meter);
    free(rx->heard);
    free(rx);
}

/* G.711 A-law with even bits inverted, as on the line. */
void kit_alaw_encode(const int16_t *linear, uint8_t *alaw, size_t samples)
{
    for (size_t i = 0; i < samples; i++)
        alaw[i] = linear_to_alaw(linear[i]);
}

void kit_alaw_decode(const uint8_t *alaw, int16_t *linear, size_t samples)
{
    for (size_t i = 0; i < samples; i++)
        linear[i] = alaw_to_linear(alaw[i]);
}
