include $(sort $(wildcard $(BR2_EXTERNAL_HOOKLINE_PATH)/package/*/*.mk))
