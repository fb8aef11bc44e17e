"""Everyday words of Mandarin, the frequent ones of a kind in front.

No two words sound alike as espeak-ng speaks them, even if tones are not heard: what is
heard of a word says how it is written.
"""

FAMILY = "妈妈 爸爸 姐姐 哥哥 朋友 邻居 爷爷 奶奶"
WORKERS = "老师 医生 学生 警察 司机 农民 律师 演员"
TIMES = "今天 明天 早上 晚上 周末 现在 春天 去年"
PLACES = "学校 公园 医院 车站 超市 银行 厨房 广场 花园 海边 工厂 图书馆"
DOING = "吃饭 睡觉 工作 跑步 唱歌 游泳 聊天 看书 喝茶 爬山"
VERBS = "喜欢 看见 需要 买到 准备 忘记 修理 讨厌 选择 收藏"
THINGS = """
苹果 手机 衣服 牛奶 面包 电脑 鸡蛋 书包 咖啡 雨伞 汽车 桌子 帽子 香蕉
报纸 钥匙 照片 裙子 钢琴 地图 自行车
"""
ANIMALS = "小猫 老虎 大象 兔子 山羊 狐狸 乌龟 蝴蝶"
COLOURS = "红色 白色 黑色 蓝色 绿色 黄色"
QUALITIES = "漂亮 便宜 干净 重要 新鲜 奇怪 复杂 危险"
FEELINGS = "高兴 生气 着急 害怕 满意 紧张 聪明 认真"
NUMBERS = "一个 两个 三个 四个 五个 六个 七个 许多"
WEATHER = "下雨 刮风 打雷 晴朗 寒冷"
CITIES = """
北京 上海 广州 深圳 天津 重庆 南京 杭州 武汉 成都 西安 苏州 青岛 大连
厦门 长沙 昆明 沈阳 济南 郑州 福州 合肥 南昌 贵阳 兰州 太原 拉萨 海口
三亚 桂林 洛阳 扬州 无锡 宁波 温州 珠海 香港 澳门 台北 哈尔滨
"""
