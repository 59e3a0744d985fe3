// SPDX-License-Identifier: GPL-2.0
/*
 * fakepi: an I2C adapter with an ADS1115 at 0x48 and a PCA9685 at 0x40 that behave like their
 * data sheets (TI SBAS444, NXP PCA9685 rev. 4), for tests on an emulated board.
 *
 * Parameters, in /sys/module/fakepi/parameters, are writable at run time:
 *   mv          AIN0 to AIN3 in millivolts
 *   nack        an address that does not answer; 1 means that none does
 *   stuck       conversions never end
 *   fail_every  every n-th transfer fails; 0 means none
 *   pca         (read only) "channel:on:off" of all channels, then MODE1 and PRE_SCALE;
 *               4096 is the full-on or full-off bit
 */
#include <linux/delay.h>
#include <linux/i2c.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#define ADS_ADDRESS 0x48
#define PCA_ADDRESS 0x40
#define ALL_ADDRESSES 1

static int nr = -1;
module_param(nr, int, 0444);
static int mv[4];
module_param_array(mv, int, NULL, 0644);
static int nack;
module_param(nack, int, 0644);
static bool stuck;
module_param(stuck, bool, 0644);
static unsigned long xfers;
module_param(xfers, ulong, 0644);
static int fail_every;
module_param(fail_every, int, 0644);

/* --- ADS1115 */

#define ADS_CONVERSION 0
#define ADS_CONFIG 1
#define ADS_OS 0x8000
#define ADS_SINGLE_SHOT 0x0100

static struct {
	u8 ptr;
	u16 reg[4];
	ktime_t ready;
	bool busy;
} ads = { .reg = { 0, 0x8583, 0x8000, 0x7fff } };

static const int full_scale_mv[8] = { 6144, 4096, 2048, 1024, 512, 256, 256, 256 };
static const int rate_sps[8] = { 8, 16, 32, 64, 128, 250, 475, 860 };

static void ads_finish(void)
{
	static const s8 pos[4] = { 0, 0, 1, 2 }, neg[4] = { 1, 3, 3, 3 };
	u16 config = ads.reg[ADS_CONFIG];
	int mux = config >> 12 & 7;
	int in = mux & 4 ? mv[mux & 3] : mv[pos[mux]] - mv[neg[mux]];
	int code = clamp(in * 32768 / full_scale_mv[config >> 9 & 7], -32768, 32767);

	ads.reg[ADS_CONVERSION] = (u16)code;
	ads.busy = false;
}

static void ads_step(void)
{
	if (stuck)
		return;
	if (!(ads.reg[ADS_CONFIG] & ADS_SINGLE_SHOT))
		ads_finish();
	else if (ads.busy && ktime_after(ktime_get(), ads.ready))
		ads_finish();
}

static void ads_write(const u8 *bytes, int count)
{
	u16 value;

	if (count)
		ads.ptr = bytes[0] & 3;
	if (count < 3 || ads.ptr == ADS_CONVERSION)
		return;
	value = get_unaligned_be16(bytes + 1);
	if (ads.ptr != ADS_CONFIG) {
		ads.reg[ads.ptr] = value;
		return;
	}
	ads.reg[ADS_CONFIG] = value & ~ADS_OS;
	if ((value & ADS_OS) && (value & ADS_SINGLE_SHOT)) {
		ads.busy = true;
		ads.ready = ktime_add_us(ktime_get(), 1000000 / rate_sps[value >> 5 & 7]);
	}
}

static void ads_read(u8 *bytes, int count)
{
	u16 value;
	int i;

	ads_step();
	value = ads.reg[ads.ptr];
	if (ads.ptr == ADS_CONFIG)
		value |= ads.busy ? 0 : ADS_OS;
	for (i = 0; i < count; i++)
		bytes[i] = i & 1 ? value & 0xff : value >> 8;
}

/* --- PCA9685 */

#define PCA_MODE1 0x00
#define PCA_MODE2 0x01
#define PCA_LED0 0x06
#define PCA_LAST_LED 0x45
#define PCA_ALL_LED 0xfa
#define PCA_PRE_SCALE 0xfe
#define PCA_CHANNELS 16
#define MODE1_RESTART 0x80
#define MODE1_AUTO_INCREMENT 0x20
#define MODE1_SLEEP 0x10

static struct {
	u8 ptr;
	u8 reg[256];
} pca;

static int pca_get(char *buffer, const struct kernel_param *param)
{
	int i, n = 0;

	for (i = 0; i < PCA_CHANNELS; i++) {
		u8 *r = &pca.reg[PCA_LED0 + 4 * i];

		n += sysfs_emit_at(buffer, n, "%d:%u:%u ", i, r[0] | (r[1] & 0x1f) << 8,
				   r[2] | (r[3] & 0x1f) << 8);
	}
	return n + sysfs_emit_at(buffer, n, "mode1=%#x prescale=%#x\n", pca.reg[PCA_MODE1],
				 pca.reg[PCA_PRE_SCALE]);
}

static const struct kernel_param_ops pca_ops = { .get = pca_get };
module_param_cb(pca, &pca_ops, NULL, 0444);

static void pca_put(u8 reg, u8 value)
{
	int i;

	if (reg >= PCA_ALL_LED && reg < PCA_PRE_SCALE) {
		for (i = 0; i < PCA_CHANNELS; i++)
			pca.reg[PCA_LED0 + 4 * i + (reg - PCA_ALL_LED)] = value;
		return;
	}
	/* The prescaler takes a value only while the oscillator stands. */
	if (reg == PCA_PRE_SCALE && !(pca.reg[PCA_MODE1] & MODE1_SLEEP))
		return;
	if (reg == PCA_MODE1)
		value &= ~MODE1_RESTART;
	pca.reg[reg] = value;
}

static void pca_next(void)
{
	if (pca.reg[PCA_MODE1] & MODE1_AUTO_INCREMENT)
		pca.ptr = pca.ptr == PCA_LAST_LED ? 0 : pca.ptr + 1;
}

static void pca_power_on(void)
{
	int i;

	pca.reg[PCA_MODE1] = 0x11;
	pca.reg[PCA_MODE2] = 0x04;
	pca.reg[PCA_PRE_SCALE] = 0x1e;
	for (i = 0; i < PCA_CHANNELS; i++)
		pca.reg[PCA_LED0 + 4 * i + 3] = 0x10;
}

/* --- the adapter */

static int answers(u16 address)
{
	if (nack == ALL_ADDRESSES || address == nack)
		return 0;
	return address == ADS_ADDRESS || address == PCA_ADDRESS;
}

static int fakepi_xfer(struct i2c_adapter *adapter, struct i2c_msg *msg, int count)
{
	int i, j;

	xfers++;
	if (fail_every && xfers % fail_every == 0)
		return -EREMOTEIO;
	for (i = 0; i < count; i++, msg++) {
		bool reads = msg->flags & I2C_M_RD;

		if (!answers(msg->addr))
			return -ENXIO;
		if (msg->addr == ADS_ADDRESS) {
			if (reads)
				ads_read(msg->buf, msg->len);
			else
				ads_write(msg->buf, msg->len);
		} else if (reads) {
			for (j = 0; j < msg->len; j++) {
				msg->buf[j] = pca.reg[pca.ptr];
				pca_next();
			}
		} else {
			if (msg->len)
				pca.ptr = msg->buf[0];
			for (j = 1; j < msg->len; j++) {
				pca_put(pca.ptr, msg->buf[j]);
				pca_next();
			}
		}
	}
	return count;
}

static u32 fakepi_func(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm fakepi_algo = {
	.master_xfer = fakepi_xfer,
	.functionality = fakepi_func,
};
static struct i2c_adapter fakepi = {
	.owner = THIS_MODULE,
	.name = "fakepi ADS1115@48 PCA9685@40",
	.algo = &fakepi_algo,
};

static int __init fakepi_init(void)
{
	pca_power_on();
	fakepi.nr = nr;
	return nr < 0 ? i2c_add_adapter(&fakepi) : i2c_add_numbered_adapter(&fakepi);
}

static void __exit fakepi_exit(void)
{
	i2c_del_adapter(&fakepi);
}

module_init(fakepi_init);
module_exit(fakepi_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("ADS1115 and PCA9685 on an I2C bus, for tests");
